#include "src/publish/pending.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "src/publish/lane.h"

namespace mimi {

Pending::Pending(std::size_t key_size, std::size_t row_size, std::size_t max, std::uint64_t seed)
    : key_size_(key_size),
      entry_size_(1 + row_size),
      stride_((sizeof(Node) + entry_size_ + alignof(Node) - 1) / alignof(Node) * alignof(Node)),
      max_(max),
      hash_(seed) {
  shards_.reserve(kShards);
  for (std::size_t i = 0; i < kShards; ++i) {
    shards_.emplace_back(0, Hash{this}, Equal{this});
  }
}

bool Pending::HasKey(Index index, const Probe& probe) const {
  return At(index)->hash == probe.hash &&
         std::memcmp(OpAndRowAt(index) + 1, probe.key.data(), key_size_) == 0;
}

Pending::Probe Pending::ProbeOf(std::span<const std::byte> op_and_row) const {
  const std::span<const std::byte> key = op_and_row.subspan(1, key_size_);
  return {hash_(key), key};
}

Pending::Added Pending::Add(std::span<const std::byte> op_and_row, std::int64_t time_ns) {
  const Probe probe = ProbeOf(op_and_row);
  Shard& shard = ShardOf(probe.hash);
  const auto found = shard.find(probe);
  if (found == shard.end()) {
    if (rows_ >= max_) {
      return Added::kFull;
    }
    const Index index = NewNode(op_and_row, probe.hash, time_ns);
    LinkLast(index);
    shard.insert(index);
    ++rows_;
    return Added::kNew;
  }
  const Index index = *found;
  std::memcpy(OpAndRowAt(index), op_and_row.data(), entry_size_);
  if (At(index)->stream >= begin_stream_) {
    return Added::kReplaced;
  }
  moved_from_ = At(index)->stream;
  Unlink(index);
  LinkLast(index);
  return Added::kMoved;
}

bool Pending::AddFront(std::span<const std::byte> op_and_row, std::int64_t time_ns,
                       std::uint64_t stream) {
  const Probe probe = ProbeOf(op_and_row);
  Shard& shard = ShardOf(probe.hash);
  if (shard.contains(probe)) {
    return false;
  }
  const Index index = NewNode(op_and_row, probe.hash, time_ns);
  LinkFirst(index);
  At(index)->stream = stream;
  shard.insert(index);
  ++rows_;
  return true;
}

bool Pending::RemovePut(std::span<const std::byte> key) {
  const Probe probe{hash_(key), key};
  Shard& shard = ShardOf(probe.hash);
  const auto found = shard.find(probe);
  if (found == shard.end() || OpAndRowAt(*found)[0] != static_cast<std::byte>(Op::kPut)) {
    return false;
  }
  Remove(*found);
  return true;
}

bool Pending::Holds(std::span<const std::byte> key) {
  const Probe probe{hash_(key), key};
  return ShardOf(probe.hash).contains(probe);
}

void Pending::AddMark(Op mark, std::int64_t time_ns) {
  const Index index = NewNode({}, 0, time_ns);
  OpAndRowAt(index)[0] = static_cast<std::byte>(mark);
  LinkLast(index);
  if (mark == LaneConsumer::kBegin) {
    begin_mark_ = index;
    begin_stream_ = At(index)->stream;
  } else {
    end_mark_ = index;
  }
}

void Pending::RemoveMarks() {
  for (Index* mark : {&begin_mark_, &end_mark_}) {
    if (*mark != kNone) {
      const Index index = *mark;
      *mark = kNone;
      Unlink(index);
      Free(index);
    }
  }
}

bool Pending::HasMark(Op mark) const {
  return (mark == LaneConsumer::kBegin ? begin_mark_ : end_mark_) != kNone;
}

std::optional<Pending::Entry> Pending::Front() const {
  if (empty()) {
    return std::nullopt;
  }
  const std::byte* const bytes = OpAndRowAt(first_);
  return Entry{static_cast<Op>(bytes[0]), {bytes, entry_size_}, At(first_)->time_ns};
}

void Pending::PopFront() {
  const Index index = first_;
  if (index == begin_mark_ || index == end_mark_) {
    (index == begin_mark_ ? begin_mark_ : end_mark_) = kNone;
    Unlink(index);
    Free(index);
  } else {
    Remove(index);
  }
  if (empty() && chunks_.size() > kKeepChunks) {
    ReleaseMemory();
  }
}

void Pending::Remove(Index index) {
  ShardOf(At(index)->hash).erase(index);
  Unlink(index);
  Free(index);
  --rows_;
}

Pending::Index Pending::NewNode(std::span<const std::byte> op_and_row, std::uint64_t hash,
                                std::int64_t time_ns) {
  if (free_ == kNone) {
    AddChunk();
  }
  const Index index = free_;
  Node* const node = At(index);
  free_ = node->next;
  node->hash = hash;
  node->time_ns = time_ns;
  if (!op_and_row.empty()) {
    std::memcpy(OpAndRowAt(index), op_and_row.data(), entry_size_);
  }
  return index;
}

void Pending::AddChunk() {
  const auto first = static_cast<Index>(chunks_.size() * kChunk);
  chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(kChunk * stride_));
  for (Index i = 0; i < kChunk; ++i) {
    Node* const node = new (chunks_.back().get() + i * stride_) Node{};
    node->next = i + 1 < kChunk ? first + i + 1 : kNone;
  }
  free_ = first;
}

void Pending::LinkLast(Index index) {
  Node* const node = At(index);
  node->stream = end_stream_++;
  node->previous = last_;
  node->next = kNone;
  (last_ == kNone ? first_ : At(last_)->next) = index;
  last_ = index;
}

void Pending::LinkFirst(Index index) {
  Node* const node = At(index);
  node->previous = kNone;
  node->next = first_;
  (first_ == kNone ? last_ : At(first_)->previous) = index;
  first_ = index;
}

void Pending::Unlink(Index index) {
  const Node* const node = At(index);
  (node->previous == kNone ? first_ : At(node->previous)->next) = node->next;
  (node->next == kNone ? last_ : At(node->next)->previous) = node->previous;
}

void Pending::Free(Index index) {
  At(index)->next = free_;
  free_ = index;
}

void Pending::ReleaseMemory() {
  chunks_.clear();
  free_ = kNone;
  for (Shard& shard : shards_) {
    Shard(0, Hash{this}, Equal{this}).swap(shard);
  }
}

}  // namespace mimi
