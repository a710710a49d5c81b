#include "src/engine/outbox.h"

#include <algorithm>
#include <bit>

namespace mimi::internal {
namespace {

constexpr std::uint64_t BitOf(std::size_t number) {
  return std::uint64_t{1} << (number % 64);
}

std::string_view TextOf(std::span<const std::byte> key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// The first bit set at or after `from`; all.size() * 64 when there is none.
std::size_t NextBit(const std::vector<std::uint64_t>& all, std::size_t from) {
  std::size_t word = from / 64;
  if (word >= all.size()) {
    return all.size() * 64;
  }
  std::uint64_t bits = all[word] & (~std::uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word == all.size()) {
      return all.size() * 64;
    }
    bits = all[word];
  }
  return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
}

}  // namespace

void Outbox::MarkRow(std::uint32_t number) {
  const std::size_t word = number / 64;
  if (word >= marks_.size()) {
    // Doubling, so that a table that grows by one row at a time does not copy at each.
    const std::size_t words = std::max<std::size_t>({word + 1, marks_.size() * 2, 64});
    marks_.resize(words);
    summary_.resize((words + 63) / 64);
  }
  if ((marks_[word] & BitOf(number)) == 0) {
    marks_[word] |= BitOf(number);
    summary_[word / 64] |= BitOf(word);
    ++marked_;
  }
}

void Outbox::UnmarkRow(std::uint32_t number) {
  if (!IsMarked(number)) {
    return;
  }
  const std::size_t word = number / 64;
  marks_[word] &= ~BitOf(number);
  --marked_;
  if (marks_[word] == 0) {
    summary_[word / 64] &= ~BitOf(word);
  }
}

bool Outbox::IsMarked(std::uint32_t number) const {
  const std::size_t word = number / 64;
  return word < marks_.size() && (marks_[word] & BitOf(number)) != 0;
}

void Outbox::MarkAll(std::uint32_t end) {
  const std::size_t words = (std::size_t{end} + 63) / 64;
  marks_.assign(std::max(words, marks_.size()), 0);
  summary_.assign((marks_.size() + 63) / 64, 0);
  std::fill_n(marks_.begin(), end / 64, ~std::uint64_t{0});
  if (end % 64 != 0) {
    marks_[end / 64] = BitOf(end) - 1;
  }
  for (std::size_t word = 0; word < words; ++word) {
    summary_[word / 64] |= BitOf(word);
  }
  marked_ = end;
}

std::uint32_t Outbox::NextMarked(std::uint32_t from) const {
  const std::size_t word = from / 64;
  if (marked_ == 0 || word >= marks_.size()) {
    return kNone;
  }
  if (const std::uint64_t rest = marks_[word] & (~std::uint64_t{0} << (from % 64)); rest != 0) {
    return static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(rest)));
  }
  const std::size_t next = NextBit(summary_, word + 1);
  if (next >= marks_.size()) {
    return kNone;
  }
  return static_cast<std::uint32_t>(next * 64 +
                                    static_cast<std::size_t>(std::countr_zero(marks_[next])));
}

bool Outbox::MarkErased(std::span<const std::byte> key, Version version) {
  if (IsErased(key)) {
    return true;
  }
  if (erased_.size() >= max_erased_) {
    return false;
  }
  erased_.push_back({std::string(TextOf(key)), version});
  erased_keys_.emplace(erased_.back().key, popped_ + erased_.size() - 1);
  return true;
}

bool Outbox::IsErased(std::span<const std::byte> key) const {
  return !erased_keys_.empty() && erased_keys_.contains(TextOf(key));
}

void Outbox::UnmarkErased(std::span<const std::byte> key) {
  if (const auto found = erased_keys_.find(TextOf(key)); found != erased_keys_.end()) {
    Erased& entry = erased_[found->second - popped_];
    erased_keys_.erase(found);
    entry.key.clear();
  }
}

void Outbox::PopErased(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!erased_.front().key.empty()) {
      erased_keys_.erase(std::string_view(erased_.front().key));
    }
    erased_.pop_front();
    ++popped_;
  }
}

void Outbox::Clear() {
  std::fill(marks_.begin(), marks_.end(), 0);
  std::fill(summary_.begin(), summary_.end(), 0);
  marked_ = 0;
  erased_keys_.clear();
  popped_ += erased_.size();
  erased_.clear();
}

std::size_t Outbox::memory_bytes() const {
  std::size_t keys = 0;
  if (!erased_.empty()) {
    keys = erased_.size() * (sizeof(Erased) + erased_.front().key.capacity());
  }
  return (marks_.capacity() + summary_.capacity()) * sizeof(std::uint64_t) + keys +
         erased_keys_.capacity() * (sizeof(std::string_view) + sizeof(std::uint64_t) + 1);
}

}  // namespace mimi::internal
