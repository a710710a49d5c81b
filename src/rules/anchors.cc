#include "src/rules/anchors.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace mimi::rules {

void Anchors::Add(std::string_view literal, std::uint32_t id) {
  added_.emplace_back(literal, id);
}

void Anchors::Build() {
  std::size_t shortest = kMaxStride + kProbeSize - 1;
  for (const auto& [text, id] : added_) {
    shortest = std::min(shortest, text.size());
  }
  stride_ = shortest - kProbeSize + 1;
  // Longer literals first: they say more. Equal ones keep the order of the rules.
  std::stable_sort(added_.begin(), added_.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() > b.first.size() : a.first < b.first;
  });
  for (const auto& [text, id] : added_) {
    if (literals_.empty() || literals_.back().text != text) {
      literals_.push_back({text, static_cast<std::uint32_t>(ids_.size()), 0});
    }
    ++literals_.back().count;
    ids_.push_back(id);
  }
  for (std::uint32_t i = 0; i < literals_.size(); ++i) {
    for (std::uint32_t offset = 0; offset < stride_; ++offset) {
      const std::size_t bucket = BucketOf(literals_[i].text.data() + offset);
      meetings_.push_back({static_cast<std::uint32_t>(bucket), i, offset});
    }
  }
  // What begins first comes first, and there the longest.
  std::ranges::sort(meetings_, [](const Meeting& a, const Meeting& b) {
    return std::tuple(a.bucket, b.offset, a.literal) < std::tuple(b.bucket, a.offset, b.literal);
  });
  for (std::size_t i = meetings_.size(); i-- > 0;) {
    used_[meetings_[i].bucket] = 1;
    begin_[meetings_[i].bucket] = static_cast<std::uint32_t>(i);
  }
}

bool Anchors::Meets(std::string_view text, std::size_t probe, const Meeting& meeting) const {
  const std::string& literal = literals_[meeting.literal].text;
  if (probe < meeting.offset || text.size() - (probe - meeting.offset) < literal.size()) {
    return false;
  }
  return std::memcmp(text.data() + probe - meeting.offset, literal.data(), literal.size()) == 0;
}

bool Anchors::FindAt(std::string_view text, std::size_t probe, std::size_t bucket, std::size_t from,
                     Cursor* cursor, Hit* hit) const {
  for (std::size_t i = std::max<std::size_t>(begin_[bucket], from);
       i < meetings_.size() && meetings_[i].bucket == bucket; ++i) {
    if (Meets(text, probe, meetings_[i])) {
      const Literal& literal = literals_[meetings_[i].literal];
      *hit = {probe - meetings_[i].offset, literal.first, literal.count};
      *cursor = {probe, i + 1};
      return true;
    }
  }
  return false;
}

bool Anchors::Next(std::string_view text, Cursor* cursor, Hit* hit) const {
  if (literals_.empty()) {
    return false;
  }
  std::size_t from = cursor->meeting;
  std::size_t probe = cursor->probe;
  for (; probe + kProbeSize < text.size(); probe += stride_) {
    const std::size_t bucket = BucketIn(text.data() + probe);
    if (used_[bucket] != 0) {
      if (FindAt(text, probe, bucket, from, cursor, hit)) {
        return true;
      }
      from = 0;
    }
  }
  if (probe + kProbeSize != text.size()) {
    return false;
  }
  const std::size_t bucket = BucketOf(text.data() + probe);
  return used_[bucket] != 0 && FindAt(text, probe, bucket, from, cursor, hit);
}

}  // namespace mimi::rules
