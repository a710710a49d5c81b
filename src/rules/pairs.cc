#include "src/rules/pairs.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/byte_set.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

constexpr ByteSet kBetween(" \t,;");
constexpr ByteSet kKeyEnds("= \t");

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
    at_ += kKeyEnds.FindIn(text_.substr(at_));
    if (at_ == start && at_ >= text_.size()) {
      return false;
    }
    pair->cut = false;
    pair->key = text_.substr(start, at_ - start);
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
      const void* const blank = std::memchr(text_.data() + at_, ' ', text_.size() - at_);
      at_ = blank == nullptr
                ? text_.size()
                : static_cast<std::size_t>(static_cast<const char*>(blank) - text_.data());
      pair->value = text_.substr(pair->value_at, at_ - pair->value_at);
    }
    return true;
  }

 private:
  void Quoted(Pair* pair) {
    const std::size_t first = ++at_;
    for (;;) {
      const void* const quote = std::memchr(text_.data() + at_, '"', text_.size() - at_);
      if (quote == nullptr) {
        at_ = text_.size();
        pair->cut = true;
        break;
      }
      at_ = static_cast<std::size_t>(static_cast<const char*>(quote) - text_.data());
      if (text_[at_ - 1] != '\\' || at_ == first) {
        break;
      }
      ++at_;
    }
    pair->value_at = first;
    pair->value = text_.substr(first, at_ - first);
    at_ += at_ < text_.size() ? std::size_t{1} : 0;
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

void PairsPlan::Add(std::string_view key, std::vector<Program> programs, Wish wish) {
  std::size_t place = PlaceOf(key);
  while (places_[place] != 0) {
    place = (place + 1) % kPlaces;
  }
  if (wish.required) {
    required_.push_back(static_cast<std::uint8_t>(keys_.size()));
  }
  keys_.push_back({std::string(key), std::move(programs), wish});
  places_[place] = static_cast<std::uint8_t>(keys_.size());
}

std::size_t PairsPlan::PlaceOf(std::string_view name) {
  if (name.empty()) {
    return 0;
  }
  const auto first = static_cast<unsigned char>(name.front());
  const auto middle = static_cast<unsigned char>(name[name.size() / 2]);
  const auto last = static_cast<unsigned char>(name.back());
  return (name.size() * 7 + std::size_t{first} * 3 + std::size_t{middle} * 5 + last) % kPlaces;
}

const PairsPlan::Key* PairsPlan::Find(std::string_view name) const {
  for (std::size_t place = PlaceOf(name); places_[place] != 0; place = (place + 1) % kPlaces) {
    const Key& key = keys_[places_[place] - std::size_t{1}];
    if (key.name.size() == name.size() && SameBytes(key.name.data(), name.data(), name.size())) {
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
    const Key* const key = Find(pair.key);
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
    const MatchResult one = MatchProgram(program, pair.value, values);
    pair.cut =
        pair.cut || (key->wish.never_last && pair.value_at + pair.value.size() == text.size());
    if (pair.cut || !one.matched || one.reached != pair.value.size()) {
      result.reached = pair.value_at + one.reached;
      const bool at_end = pair.value_at + pair.value.size() == text.size();
      result.refusal = pair.cut || (at_end && one.refusal == Refusal::kTruncated)
                           ? Refusal::kTruncated
                       : one.matched ? Refusal::kForm
                                     : one.inside;
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
