#ifndef MIMI_SRC_WIRE_NFT_TABLE_NAME_H_
#define MIMI_SRC_WIRE_NFT_TABLE_NAME_H_

// What of a pair's name may stand in the name of an nft table. It goes into a script, so nothing
// that nft could read as something else.
//
// Threads: any.

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

#include "src/base/status.h"

namespace mimi::internal {

inline bool IsNftNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

inline absl::Status CheckNftTableName(std::string_view pair) {
  constexpr std::size_t kMaxPair = 64;
  if (pair.empty() || pair.size() > kMaxPair || pair.front() == '.' ||
      !std::all_of(pair.begin(), pair.end(), IsNftNameCharacter)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "pair '{}': expected 1 to {} letters, digits, '_', '-' and '.'", pair, kMaxPair);
  }
  return absl::OkStatus();
}

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_NFT_TABLE_NAME_H_
