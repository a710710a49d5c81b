#ifndef MIMI_SRC_BASE_FIND_BYTE_H_
#define MIMI_SRC_BASE_FIND_BYTE_H_

// FindByte: where the first of a few bytes is, looked for sixteen bytes at a time (eight on
// processors other than x86-64).
//
// For what is mostly near, as the end of a word: a loop over bytes ends each time where the
// processor did not expect it, and memchr costs a call.
//
// Threads: any.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)  // every x86-64 has it
#include <emmintrin.h>
#endif

namespace mimi {

/// From `from` on; text.size() when there is none.
template <char... kBytes>
std::size_t FindByte(std::string_view text, std::size_t from) {
#if defined(__SSE2__)
  for (; from + 16 <= text.size(); from += 16) {
    __m128i bytes;
    std::memcpy(&bytes, text.data() + from, 16);
    const int found = (_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(kBytes))) | ...);
    if (found != 0) {
      return from + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(found)));
    }
  }
#endif
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = kOnes << 7;
  if constexpr (std::endian::native == std::endian::little) {
    for (; from + 8 <= text.size(); from += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + from, 8);
      // A byte of zeros is where the byte was found; behind the first one the test may err.
      const auto zeros = [](std::uint64_t x) {
        return (x - kOnes) & ~x & kHighs;
      };
      const std::uint64_t found =
          (zeros(word ^ (kOnes * static_cast<unsigned char>(kBytes))) | ...);
      if (found != 0) {
        return from + static_cast<std::size_t>(std::countr_zero(found)) / 8;
      }
    }
  }
  while (from < text.size() && ((text[from] != kBytes) && ...)) {
    ++from;
  }
  return from;
}

}  // namespace mimi

#endif  // MIMI_SRC_BASE_FIND_BYTE_H_
