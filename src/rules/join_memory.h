#ifndef MIMI_SRC_RULES_JOIN_MEMORY_H_
#define MIMI_SRC_RULES_JOIN_MEMORY_H_

// JoinMemory: what lines said that other lines will need, for a time, in bounded memory.
//
// The whole of the memory is reserved at the start, and used page by page as it fills; nothing is
// allocated per line. When it is full the oldest goes, and is counted.
//
// Threads: one at a time. Times are arguments.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "mimi/types.h"

#include "src/rules/value.h"

namespace mimi::rules {

struct JoinDefinition {
  std::string name;
  Duration within{};                ///< 0: until it is forgotten, or the oldest
  std::size_t max = 65536;          ///< entries
  std::vector<std::string> fields;  ///< what is kept
};

inline constexpr std::size_t kMaxJoinFields = 16;

/// 128 bits of the key's values, with a seed: two keys that meet are not to be expected, nor to be
/// made.
struct JoinKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const JoinKey&, const JoinKey&) = default;
};

class JoinKeyHasher {
 public:
  explicit JoinKeyHasher(std::uint64_t seed) : low_(seed), high_(~seed) {}
  /// `name` tells values of the key apart that could else take each other's place.
  void Add(std::uint8_t name, const Value& value);
  JoinKey key() const { return {low_ | 1, high_}; }  // never zero

 private:
  void Mix(std::uint64_t word);
  std::uint64_t low_;
  std::uint64_t high_;
};

class JoinMemory {
 public:
  explicit JoinMemory(const JoinDefinition& definition);

  /// One remembered line. Texts are kept up to 16 bytes; longer ones are not there.
  struct Entry {
    JoinKey key;
    MonotonicTime made{};
    std::uint32_t rule = 0;
    std::uint32_t older = 0;  ///< in the order of age; indices + 1
    std::uint32_t newer = 0;
    std::uint16_t present = 0;
    struct Field {
      ValueKind kind;
      std::uint8_t size;
      std::uint8_t bytes[16];
    };
    Field fields[kMaxJoinFields];
  };

  /// nullptr: not there, or too old.
  const Entry* Find(const JoinKey& key, MonotonicTime now);
  /// A new entry, or the one of this key made new. `slots[i]` says where in `values` field i is;
  /// 255: nowhere.
  void Keep(const JoinKey& key, std::uint32_t rule, const std::vector<std::uint8_t>& slots,
            const Values& values, MonotonicTime now);
  void Forget(const JoinKey& key);
  /// Drops what is too old; how many that were.
  std::size_t Expire(MonotonicTime now);

  /// Puts field i of an entry into values.
  static void Restore(const Entry& entry, std::size_t field, std::size_t slot, Values* values);

  std::size_t size() const { return count_; }
  std::uint64_t evicted() const { return evicted_; }  ///< the memory was full

 private:
  struct Freer {
    void operator()(void* memory) const { std::free(memory); }
  };

  Entry& At(std::uint32_t index) {
    return *reinterpret_cast<Entry*>(slab_.get() + std::size_t{index - 1} * entry_size_);
  }
  std::size_t SlotOf(const JoinKey& key) const { return key.high & mask_; }
  std::uint32_t* Locate(const JoinKey& key);
  void Remove(std::uint32_t index);
  void Unlink(Entry& entry);
  void LinkNewest(std::uint32_t index);

  Duration within_;
  std::size_t max_;
  std::size_t fields_;
  std::size_t entry_size_;
  std::size_t mask_;
  std::unique_ptr<std::uint8_t, Freer> slab_;
  std::unique_ptr<std::uint32_t, Freer> index_;  ///< open addressing; 0 is free
  std::uint32_t used_ = 0;                       ///< of the slab, ever
  std::uint32_t free_ = 0;                       ///< list through `older`
  std::uint32_t oldest_ = 0;
  std::uint32_t newest_ = 0;
  std::size_t count_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_JOIN_MEMORY_H_
