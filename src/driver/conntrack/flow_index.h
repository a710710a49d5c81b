#ifndef MIMI_SRC_DRIVER_CONNTRACK_FLOW_INDEX_H_
#define MIMI_SRC_DRIVER_CONNTRACK_FLOW_INDEX_H_

// FlowIndex: what a driver remembers of the flows that it has published: by their key in
// FlowSchema(), which kernel entry each one is.
//
//   FlowIndex::Known& known = *index.Touch(key);     // there from now on
//   known.id = entry.id;
//
// About 80 bytes per flow. It grows without a pause: an index of tags beside chunks of entries.
//
// Threads: one at a time. Lifetime: a Known stays where it is until it is forgotten.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "src/base/hash.h"
#include "src/state/tag_index.h"

namespace mimi::internal {

class FlowIndex {
 public:
  static constexpr std::size_t kKeySize = 39;  // of FlowSchema()

  struct Known {
    std::array<std::byte, kKeySize> key = {};
    bool used = false;
    /// It has ended; remembered until the walk that is under way is over.
    bool ended = false;
    /// An event came for it, so that its end will too.
    bool heard = false;
    std::uint32_t id = 0;     ///< CTA_ID
    std::uint32_t round = 0;  ///< of walks: the last one that it was seen in, or changed during
    std::uint32_t timeout = 0;
    std::uint32_t proto_orig = 0;  ///< Flow::proto_orig
    std::uint32_t proto_reply = 0;
  };

  explicit FlowIndex(std::uint64_t seed) : hash_(seed) {}

  Known* Find(std::span<const std::byte> key);
  /// Finds or adds. nullptr: out of memory, or 2^32 flows.
  Known* Touch(std::span<const std::byte> key);
  void Forget(Known& known);
  void Clear();

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;

  /// Entries are numbered 1 to end() - 1; those that are not `used` are free.
  std::uint32_t end() const { return high_ + 1; }
  Known& At(std::uint32_t number) const {
    return (*chunks_[(number - 1) / kChunk])[(number - 1) % kChunk];
  }

 private:
  static constexpr std::size_t kChunk = 1024;
  using Chunk = std::array<Known, kChunk>;

  std::uint64_t* FindSlot(std::span<const std::byte> key);
  std::uint32_t Allocate();

  RowHash hash_;
  std::unique_ptr<TagIndex> index_ = std::make_unique<TagIndex>();
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t high_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_CONNTRACK_FLOW_INDEX_H_
