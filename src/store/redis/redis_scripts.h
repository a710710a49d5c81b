#ifndef MIMI_SRC_STORE_REDIS_REDIS_SCRIPTS_H_
#define MIMI_SRC_STORE_REDIS_REDIS_SCRIPTS_H_

// The scripts that run inside the server: every write of ours, each one atomic.
//
// Threads: any. Lifetime: the texts are constants.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mimi::internal {

enum class Script : std::uint8_t {
  /// Who is there? Makes the repository, or its next incarnation when another server process
  /// answers.
  kHello,
  /// Fence, continuity, and the batch's entry in the feed.
  kApply,
  kClaim,
  kOpen,
  /// Become, or stay, the table's keeper.
  kKeep,
  /// The keeper puts buckets.
  kPut,
  /// The keeper says that the table is up to date with a position, and trims the feed behind it.
  kCommit,
  kLease,
};
inline constexpr std::size_t kScripts = 8;

/// What each takes and answers stands in front of its text in redis_scripts.cc.
std::string_view ScriptText(Script script);

/// The fields of the pair's hash that a handle follows, in this order: hello answers with them.
inline constexpr std::array<std::string_view, 11> kFacts = {
    "incarnation", "head",    "trimmed", "bytes",    "trimmed_bytes", "gen",
    "position",    "counter", "term",    "claimant", "mode"};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_REDIS_REDIS_SCRIPTS_H_
