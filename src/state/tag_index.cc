#include "src/state/tag_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace mimi {
namespace {

constexpr std::size_t kPad = 1024;  // a run longer than this at the very end has never been seen

}  // namespace

bool TagIndex::MapArray(std::size_t homes, Array* array) {
  const std::size_t slots = homes + std::min(homes, kPad);
  array->buffer = PageBuffer::Map(slots * sizeof(std::uint64_t));
  if (array->buffer.empty()) {
    return false;
  }
  array->buffer.AdviseHuge();
  array->slots = reinterpret_cast<std::uint64_t*>(array->buffer.data());
  array->last = array->slots + slots - 1;
  array->homes = homes;
  array->shift = 32U - static_cast<unsigned>(std::countr_zero(homes));
  return true;
}

void TagIndex::Reserve(std::size_t count) {
  Array roomy;
  const std::size_t homes = std::bit_ceil(std::min(kMaxHomes / 2, count) * 4 / 3 + 1);
  if (current_.buffer.empty() && MapArray(std::max(kFirstHomes, homes), &roomy)) {
    current_ = std::move(roomy);
  }
}

bool TagIndex::InsertInto(const Array& array, std::uint64_t slot) {
  std::uint64_t* at = array.slots + (std::uint64_t{Tag(slot)} >> array.shift);
  while (*at != 0) {
    ++at;
  }
  if (at == array.last) {
    return false;
  }
  *at = slot;
  return true;
}

bool TagIndex::Insert(std::uint32_t tag, std::uint32_t reference) {
  const std::uint64_t slot = (std::uint64_t{tag} << 32) | reference;
  while (!InsertInto(ArrayOf(tag), slot)) {
    if (!Rebuild()) {
      return false;
    }
  }
  ++size_;
  return true;
}

void TagIndex::Erase(std::uint64_t* slot) {
  const Array& array = ArrayOf(Tag(*slot));
  std::uint64_t* hole = slot;
  for (std::uint64_t* at = slot + 1; *at != 0; ++at) {
    if (array.slots + (std::uint64_t{Tag(*at)} >> array.shift) <= hole) {
      *hole = *at;
      hole = at;
    }
  }
  *hole = 0;
  --size_;
}

bool TagIndex::StartGrowing() {
  if (current_.homes >= kMaxHomes) {
    return false;
  }
  Array bigger;
  if (!MapArray(std::max(kFirstHomes, current_.homes * 2), &bigger)) {
    return false;
  }
  if (current_.buffer.empty()) {
    current_ = std::move(bigger);
    return true;
  }
  old_ = std::exchange(current_, std::move(bigger));
  unmoved_ = &old_;
  cursor_ = 0;
  released_ = 0;
  return true;
}

// The pad of an array is full: a thousand keys crowd behind its last home, which a keyed hash makes
// next to impossible (below 1e-16 at 3/4 of load). Correctness does not rest on that: everything
// goes into an array twice as long, at once.
bool TagIndex::Rebuild() {
  for (std::size_t homes = std::max(kFirstHomes, current_.homes * 2); homes <= kMaxHomes;
       homes *= 2) {
    Array bigger;
    if (!MapArray(homes, &bigger)) {
      return false;
    }
    bool fits = true;
    for (const Array* array : {&old_, &current_}) {
      for (const std::uint64_t* at = array->slots; fits && at != array->last; ++at) {
        fits = *at == 0 || InsertInto(bigger, *at);
      }
    }
    if (fits) {
      current_ = std::move(bigger);
      DropOld();
      return true;
    }
  }
  return false;
}

void TagIndex::DropOld() {
  old_ = Array();
  unmoved_ = &current_;
  cursor_ = 0;
  released_ = 0;
}

void TagIndex::Move(std::size_t slots) {
  const auto all = static_cast<std::size_t>(old_.last - old_.slots);
  const std::size_t goal = std::min(all, cursor_ + slots);
  // Beyond the goal, on to the end of the run: only there no later slot's home lies before the
  // cursor.
  for (; cursor_ < goal || (cursor_ < all && old_.slots[cursor_] != 0); ++cursor_) {
    if (old_.slots[cursor_] == 0) {
      continue;
    }
    if (!InsertInto(current_, old_.slots[cursor_])) {
      Rebuild();
      return;
    }
    old_.slots[cursor_] = 0;
  }
  const std::size_t done =
      cursor_ * sizeof(std::uint64_t) / PageBuffer::kHugePage * PageBuffer::kHugePage;
  if (done > released_) {  // in pieces: unmapping 128 MB at once would take milliseconds
    old_.buffer.Release(released_, done);
    released_ = done;
  }
  if (cursor_ == all) {
    DropOld();
  }
}

void TagIndex::Step(std::size_t more, std::size_t slots) {
  if (growing()) {
    Move(slots);
  }
  while (size_ + more > current_.homes / 4 * 3) {
    if (growing()) {
      Move(old_.homes *
           2);  // only when `more` is large against the table: a table of a few hundred rows
    } else if (!StartGrowing()) {
      return;
    }
  }
}

std::size_t TagIndex::memory_bytes() const {
  return current_.buffer.size() + old_.buffer.size() - released_;
}

}  // namespace mimi
