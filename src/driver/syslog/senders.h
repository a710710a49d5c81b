#ifndef MIMI_SRC_DRIVER_SYSLOG_SENDERS_H_
#define MIMI_SRC_DRIVER_SYSLOG_SENDERS_H_

// Who may send, and whether lines of those who number them are missing.
//
// Threads: one at a time.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/types.h"

namespace mimi::internal {

/// Addresses and prefixes: "192.0.2.1", "192.0.2.0/24", "2001:db8::/32".
class AllowList {
 public:
  /// Errors: InvalidArgument, which names the text.
  static absl::StatusOr<AllowList> Parse(const std::vector<std::string>& texts);
  bool Allows(const Ip& ip) const;

 private:
  struct Prefix {
    Ip ip;
    unsigned bits = 128;  ///< of the 128; 96 more than written for IPv4
  };
  std::vector<Prefix> prefixes_;
};

/// Gaps in the numbers of senders. Memory is fixed: of two senders that fall on one place, the one
/// that speaks last is watched.
class SequenceWatch {
 public:
  /// How many lines are missing before this one.
  std::uint32_t Missing(const Ip& from, std::string_view host, std::uint32_t sequence);

 private:
  /// A larger step is a sender that began anew.
  static constexpr std::uint32_t kMaxGap = 1000000;
  struct Sender {
    std::uint64_t id = 0;
    std::uint32_t last = 0;
  };
  std::array<Sender, 256> senders_{};
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_SYSLOG_SENDERS_H_
