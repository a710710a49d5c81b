#ifndef MIMI_SRC_BASE_BYTE_SET_H_
#define MIMI_SRC_BASE_BYTE_SET_H_

// ByteSet: which bytes belong to it, by one look at a table. std::string_view::find_first_of looks
// through all of its set for each byte.
//
// Threads: constant; any.

#include <array>
#include <cstddef>
#include <string_view>

namespace mimi {

class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view bytes) {
    for (const char byte : bytes) {
      in_[static_cast<unsigned char>(byte)] = true;
    }
  }
  constexpr bool contains(char byte) const { return in_[static_cast<unsigned char>(byte)]; }
  /// Where the first of them is; text.size() when there is none.
  constexpr std::size_t FindIn(std::string_view text) const {
    std::size_t at = 0;
    while (at < text.size() && !contains(text[at])) {
      ++at;
    }
    return at;
  }

 private:
  std::array<bool, 256> in_{};
};

}  // namespace mimi

#endif  // MIMI_SRC_BASE_BYTE_SET_H_
