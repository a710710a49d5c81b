#ifndef MIMI_SRC_MINION_NETFILTER_HELD_FLOWS_H_
#define MIMI_SRC_MINION_NETFILTER_HELD_FLOWS_H_

// HeldFlows: what a minion remembers of the flows that it has put into the kernel.
//
//   HeldFlows::Held& held = flows.Touch(key);     // there from now on, and the newest
//   held.translation = hash;
//   if (flows.size() > limit) { Remove(flows.Oldest()->key); }
//
// The kernel is the truth, this is a guess about it that saves a question: whether a Put makes an
// entry or changes one, and whether the change can be made in place. What it gets wrong the
// kernel's answer tells. It also knows the order of the last Puts, which is the order in which rows
// are given up when the kernel's table is near its end. About 70 bytes per flow.
//
// Threads: one at a time. Lifetime: a Held is valid until it is forgotten.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "src/base/hash.h"
#include "src/state/tag_index.h"

namespace mimi::internal {

class HeldFlows {
 public:
  static constexpr std::size_t kKeySize = 39;  // of FlowSchema()
  using Key = std::array<std::byte, kKeySize>;

  struct Held {
    Key key = {};
    std::uint64_t translation = 0;  ///< hash of the reply tuple

   private:
    friend class HeldFlows;
    std::uint32_t older = 0;
    std::uint32_t newer = 0;
  };

  explicit HeldFlows(std::uint64_t seed) : hash_(seed) {}

  Held* Find(std::span<const std::byte> key);
  /// Finds or adds, and makes it the newest. nullptr: out of memory, or 2^32 flows.
  Held* Touch(std::span<const std::byte> key);
  /// Makes it the newest.
  void Renew(Held& held);
  void Forget(std::span<const std::byte> key);
  void Clear();

  /// What was touched longest ago; nullptr when empty.
  const Held* Oldest() const { return oldest_ == 0 ? nullptr : &At(oldest_); }
  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;

  std::uint64_t Hash(std::span<const std::byte> bytes) const { return hash_(bytes); }

 private:
  static constexpr std::size_t kChunk = 1024;
  using Chunk = std::array<Held, kChunk>;

  Held& At(std::uint32_t number) const {
    return (*chunks_[(number - 1) / kChunk])[(number - 1) % kChunk];
  }
  std::uint64_t* FindSlot(std::span<const std::byte> key);
  std::uint32_t Allocate();
  void Link(std::uint32_t number);
  void Unlink(std::uint32_t number);

  RowHash hash_;
  std::unique_ptr<TagIndex> index_ = std::make_unique<TagIndex>();
  std::vector<std::unique_ptr<Chunk>> chunks_;  // numbers begin at 1
  std::uint32_t used_ = 0;
  std::uint32_t free_ = 0;  // a chain through `older`
  std::uint32_t oldest_ = 0;
  std::uint32_t newest_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_HELD_FLOWS_H_
