#ifndef MIMI_SRC_RULES_LINE_READER_H_
#define MIMI_SRC_RULES_LINE_READER_H_

// LineReader: reads lines by a RuleSet, and remembers what joins need.
//
// Nothing is allocated per line. A line is searched once for the literals of all rules; only rules
// whose literal is there are tried.
//
// Threads: one at a time.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "src/rules/rule_set.h"

namespace mimi::rules {

/// A line, and what its header said.
struct LogLine {
  std::string_view text;
  std::size_t message = 0;        ///< where the message begins
  std::size_t tag = 0;            ///< where it would begin were the program's name a part of it
  std::string_view host = {};     ///< empty: not told
  std::string_view program = {};  ///< empty: not told
  bool process = false;           ///< the program told its process id
};

struct Reading {
  enum class Kind : std::uint8_t { kUnmatched, kRefused, kMatched };
  Kind kind = Kind::kUnmatched;
  Refusal refusal = Refusal::kNone;  ///< kRefused: why; a note that wanted a partner: kNoPartner
  Action action = Action::kNote;     ///< kMatched
  bool abrupt = false;               ///< an erase that the protocol did not make
  const Rule* rule = nullptr;        ///< that matched; or that came farthest
  /// Whole for a put, the key for an erase, else empty. Valid until the next call.
  std::span<const std::byte> row = {};
};

class LineReader {
 public:
  /// `seed`: what nobody who sends lines can guess, for the hash of joins.
  LineReader(std::shared_ptr<const RuleSet> rules, std::uint64_t seed);

  Reading Read(const LogLine& line, MonotonicTime now);
  /// Of the last line that matched.
  const Values& values() const { return values_; }
  const RuleSet& rules() const { return *rules_; }

  std::uint64_t join_evicted() const;  ///< what joins had no room for
  std::size_t join_size() const;

 private:
  struct Tried {
    MatchResult result;
    const Rule* rule = nullptr;
  };
  bool Try(const LogLine& line, std::uint32_t index, std::size_t at, Tried* farthest);
  bool MayBegin(const LogLine& line, const Rule& rule, std::size_t at, std::size_t* from);
  std::size_t LeadEnd(const LogLine& line, std::uint32_t pack);
  Reading Finish(const LogLine& line, const Rule& rule, MonotonicTime now);
  Action Decide(const ActionPlan& plan) const;
  bool Take(const Rule& rule, MonotonicTime now, Reading* reading);
  void Keep(const Rule& rule, MonotonicTime now);
  JoinKey KeyOf(const JoinUse& use) const;
  void Set(const Rule& rule);
  Refusal Row(const Rule& rule, Reading* reading);

  std::shared_ptr<const RuleSet> rules_;
  std::uint64_t seed_;
  std::vector<JoinMemory> joins_;
  std::vector<std::uint64_t> tried_;  ///< per rule: the line in which it was tried last
  struct Lead {
    std::uint64_t line = 0;
    std::size_t end = 0;
  };
  std::vector<Lead> leads_;  ///< per pack
  std::uint64_t line_ = 0;
  Values values_;
  Values lead_values_;  ///< leads have no names
  std::vector<std::byte> row_;
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_LINE_READER_H_
