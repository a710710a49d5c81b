#include "src/rules/pairs.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/byte_set.h"
#include "src/base/find_byte.h"
#include "src/rules/field_scan.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

constexpr ByteSet kBetween(" \t,;");

struct Pair {
  std::string_view key;
  std::string_view value;
  std::size_t value_at = 0;
  bool cut = false;  // a quoted value without its end
};

// Finds one pair after the other.
class PairScanner {
 public:
  PairScanner(std::string_view text, std::size_t from) : text_(text), at_(from) {}

  bool Next(Pair* pair) {
    while (at_ < text_.size() && kBetween.contains(text_[at_])) {
      ++at_;
    }
    const std::size_t start = at_;
    at_ = FindByte<'=', ' ', '\t'>(text_, at_);
    if (at_ == start && at_ >= text_.size()) {
      return false;
    }
    pair->cut = false;
    pair->key = {text_.data() + start, at_ - start};
    if (at_ == text_.size() || text_[at_] != '=') {
      pair->value = pair->key;
      pair->value_at = start;
      return true;
    }
    ++at_;
    if (at_ < text_.size() && text_[at_] == '"') {
      Quoted(pair);
    } else {
      pair->value_at = at_;
      at_ = FindByte<' '>(text_, at_);
      pair->value = {text_.data() + pair->value_at, at_ - pair->value_at};
    }
    return true;
  }

 private:
  void Quoted(Pair* pair) {
    const std::size_t first = ++at_;
    for (;;) {
      at_ = FindByte<'"'>(text_, at_);
      if (at_ == text_.size()) {
        pair->cut = true;
        break;
      }
      if (text_[at_ - 1] != '\\' || at_ == first) {
        break;
      }
      ++at_;
    }
    pair->value_at = first;
    pair->value = {text_.data() + first, at_ - first};
    at_ += at_ < text_.size() ? std::size_t{1} : 0;
  }

  std::string_view text_;
  std::size_t at_;
};

// False: the value is not what the program says, and `result` why. `never_last`: where the line, of
// `size` bytes, ends with it, it was cut.
bool MatchValue(const Program& program, const Pair& pair, bool never_last, std::size_t size,
                Values* values, MatchResult* result) {
  if (program.single && !pair.cut && !never_last) {
    const FieldScan scan = ScanField(program, program.ops[0], pair.value, 0, values);
    if (scan.refusal == Refusal::kNone && scan.end == pair.value.size()) {
      return true;
    }
  }
  const MatchResult one = MatchProgram(program, pair.value, values);
  const bool at_end = pair.value_at + pair.value.size() == size;
  const bool cut = pair.cut || (never_last && at_end);
  if (!cut && one.matched && one.reached == pair.value.size()) {
    return true;
  }
  result->reached = pair.value_at + one.reached;
  if (cut || (at_end && one.refusal == Refusal::kTruncated)) {
    result->refusal = Refusal::kTruncated;
  } else {
    result->refusal = one.matched ? Refusal::kForm : one.inside;
  }
  return false;
}

}  // namespace

void PairsPlan::Add(std::string_view key, std::vector<Program> programs, Wish wish) {
  const std::uint64_t head = HeadOf(key);
  std::size_t place = PlaceOf(head, key.size());
  while (places_[place] != 0) {
    place = (place + 1) % kPlaces;
  }
  if (wish.required) {
    required_.push_back(static_cast<std::uint8_t>(keys_.size()));
  }
  keys_.push_back({head, std::string(key), std::move(programs), wish});
  places_[place] = static_cast<std::uint8_t>(keys_.size());
}

std::size_t PairsPlan::PlaceOf(std::uint64_t head, std::size_t size) {
  return (head + size) * 0x9e3779b97f4a7c15ULL >> 56;
}

const PairsPlan::Key* PairsPlan::Find(std::string_view name, std::uint64_t head) const {
  for (std::size_t place = PlaceOf(head, name.size()); places_[place] != 0;
       place = (place + 1) % kPlaces) {
    const Key& key = keys_[places_[place] - std::size_t{1}];
    if (key.head == head && key.name.size() == name.size() &&
        SameTail(key.name.data(), name.data(), name.size())) {
      return &key;
    }
  }
  return nullptr;
}

MatchResult PairsPlan::Match(std::string_view text, std::size_t from, Values* values) const {
  MatchResult result;
  std::array<std::uint8_t, kMaxKeys> times{};
  PairScanner scanner(text, from);
  Pair pair;
  while (scanner.Next(&pair)) {
    const bool room = pair.key.data() + 8 <= text.data() + text.size();
    const Key* const key =
        Find(pair.key, room ? HeadOf(pair.key.data(), pair.key.size()) : HeadOf(pair.key));
    if (key == nullptr) {
      continue;
    }
    std::uint8_t& time = times[static_cast<std::size_t>(key - keys_.data())];
    if (time >= key->programs.size()) {
      continue;
    }
    const Program& program = key->programs[time];
    ++time;
    if (pair.value.empty() && !key->wish.required &&
        !(key->wish.never_last && pair.value_at >= text.size())) {
      continue;
    }
    if (!MatchValue(program, pair, key->wish.never_last, text.size(), values, &result)) {
      return result;
    }
  }
  result.reached = text.size();
  for (const std::uint8_t key : required_) {
    if (times[key] < keys_[key].programs.size()) {
      result.refusal = Refusal::kTruncated;  // as the line stands, what is needed did not come
      return result;
    }
  }
  result.matched = true;
  return result;
}

}  // namespace mimi::rules
