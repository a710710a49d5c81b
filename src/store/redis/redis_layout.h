#ifndef MIMI_SRC_STORE_REDIS_REDIS_LAYOUT_H_
#define MIMI_SRC_STORE_REDIS_REDIS_LAYOUT_H_

// The names of what lies in the server (redis_store.h has the table), and what a handle knows of
// the pair's hash.
//
// Threads: values; any.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mimi/record.h"
#include "mimi/store.h"

#include "src/io/redis_reply.h"
#include "src/store/redis/row_blob.h"

namespace mimi::internal {

struct RedisKeys {
  RedisKeys(std::string_view prefix, std::string_view pair_name);

  std::string lease(std::string_view name) const;
  /// The hash of one table's buckets.
  std::string rows(std::string_view table, std::uint64_t generation) const;

  std::string root;  ///< "mimi:{edge1}:"
  std::string pair;
  std::string feed;
  std::string terms;
  std::string writers;
  std::string schemas;
  std::string tables;
  std::string rows_prefix;
};

/// The pair's hash (kFacts).
struct RedisFacts {
  std::string incarnation;
  Position head = 0;
  Position trimmed = 0;
  std::uint64_t bytes = 0;
  std::uint64_t trimmed_bytes = 0;
  std::uint64_t generation = 0;
  Position position = 0;
  std::uint64_t counter = 0;
  std::uint64_t term = 0;
  Origin claimant = 0;
  ClaimMode mode = ClaimMode::kExclusive;

  /// From element `first` of an array on; nullopt: that is no pair of ours (any more).
  static std::optional<RedisFacts> Read(RedisValue values, std::size_t first);
};

/// What the `tables` hash says of one table's generation: "buckets first_chunk chunks rows
/// tombstones".
struct RedisTableSummary {
  std::uint64_t buckets = 0;
  std::uint64_t first_chunk = 0;  ///< of tombstones
  std::uint64_t chunks = 0;       ///< behind the last
  std::uint64_t rows = 0;
  std::uint64_t tombstones = 0;

  std::string ToText() const;
  static std::optional<RedisTableSummary> Parse(std::string_view text);
};

/// The field of a bucket of rows ("17") or a chunk of tombstones ("t17").
std::string RowField(RowBlobKind kind, std::uint64_t number);

/// 16 hexadecimal digits, as ids stand in keys and fields.
std::string HexId(std::uint64_t id);
std::optional<std::uint64_t> ParseHexId(std::string_view text);

/// The position of an entry's id, "17-0". nullopt: not an id of ours.
std::optional<Position> ParseEntryId(std::string_view id);

/// The greatest term, sequence and position that a Lua number holds exactly, and 48 bits of a
/// bucket's sequence.
inline constexpr std::uint64_t kMaxRedisNumber = (std::uint64_t{1} << 53) - 1;
inline constexpr std::uint64_t kMaxRedisSequence = (std::uint64_t{1} << 48) - 1;

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_LAYOUT_H_
