#ifndef MIMI_SRC_RULES_PAIRS_H_
#define MIMI_SRC_RULES_PAIRS_H_

// The rest of a line as key=value, as firewalls of many kinds write it: values quoted or not, words
// without a value between them, keys that come twice.
//
// Threads: a plan is constant once built; any.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/rules/program.h"

namespace mimi::rules {

/// Which keys a rule wants, each with a template for its value. A word without "=" is a key whose
/// value is the word itself.
class PairsPlan {
 public:
  /// `programs[n]` is for the key's n-th time; later times do not matter.
  struct Wish {
    bool required = false;
    bool never_last = false;  ///< where the line ends with its value, the line was cut
  };
  void Add(std::string_view key, std::vector<Program> programs, Wish wish);
  std::size_t size() const { return keys_.size(); }

  MatchResult Match(std::string_view text, std::size_t from, Values* values) const;

 private:
  struct Key {
    std::uint64_t head = 0;  ///< HeadOf(name)
    std::string name;
    std::vector<Program> programs;
    Wish wish;
  };
  static constexpr std::size_t kPlaces = 256;
  static std::size_t PlaceOf(std::uint64_t head, std::size_t size);
  const Key* Find(std::string_view name, std::uint64_t head) const;

  std::vector<Key> keys_;
  std::vector<std::uint8_t> required_;          ///< of keys_
  std::array<std::uint8_t, kPlaces> places_{};  ///< of keys_, + 1; open addressing; 0: none
};

inline constexpr std::size_t kMaxKeys = 64;

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_PAIRS_H_
