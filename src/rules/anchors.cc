#include "src/rules/anchors.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mimi::rules {

void Anchors::Add(std::string_view literal, std::uint32_t id) {
  added_.emplace_back(literal, id);
}

void Anchors::Build() {
  window_ = 32;
  for (const auto& [text, id] : added_) {
    window_ = std::min(window_, text.size());
  }
  const auto bucket = [this](const std::string& text) {
    return BlockOf(text.data() + window_ - 2);
  };
  // Longer literals first: they say more. Equal ones keep the order of the rules.
  std::stable_sort(added_.begin(), added_.end(), [&](const auto& a, const auto& b) {
    const std::size_t in_a = bucket(a.first);
    const std::size_t in_b = bucket(b.first);
    if (in_a != in_b) {
      return in_a < in_b;
    }
    return a.first.size() != b.first.size() ? a.first.size() > b.first.size() : a.first < b.first;
  });
  shift_.fill(static_cast<std::uint8_t>(window_ - 1));
  for (const auto& [text, id] : added_) {
    if (literals_.empty() || literals_.back().text != text) {
      literals_.push_back({text, static_cast<std::uint32_t>(ids_.size()), 0});
    }
    ++literals_.back().count;
    ids_.push_back(id);
    for (std::size_t i = 0; i + 1 < window_; ++i) {
      std::uint8_t& shift = shift_[BlockOf(text.data() + i)];
      shift = std::min(shift, static_cast<std::uint8_t>(window_ - 2 - i));
    }
  }
  std::size_t next = 0;
  for (std::size_t b = 0; b < kBuckets; ++b) {
    bucket_[b] = static_cast<std::uint16_t>(next);
    while (next < literals_.size() && bucket(literals_[next].text) == b) {
      ++next;
    }
  }
  bucket_[kBuckets] = static_cast<std::uint16_t>(next);
}

bool Anchors::Next(std::string_view text, Cursor* cursor, Hit* hit) const {
  if (literals_.empty()) {
    return false;
  }
  const char* const data = text.data();
  std::size_t end = std::max(cursor->end, window_);
  std::size_t next = cursor->literal;
  while (end <= text.size()) {
    const std::size_t block = BlockOf(data + end - 2);
    const std::uint8_t shift = shift_[block];
    if (shift != 0) {
      end += shift;
      continue;
    }
    const std::size_t at = end - window_;
    for (std::size_t i = std::max<std::size_t>(bucket_[block], next); i < bucket_[block + 1]; ++i) {
      const Literal& literal = literals_[i];
      if (text.size() - at >= literal.text.size() &&
          std::memcmp(data + at, literal.text.data(), literal.text.size()) == 0) {
        *hit = {at, literal.first, literal.count};
        *cursor = {end, i + 1};
        return true;
      }
    }
    next = 0;
    ++end;
  }
  return false;
}

}  // namespace mimi::rules
