#include "src/base/utf8.h"

#include <cstddef>
#include <cstdint>

namespace mimi {
namespace {

// RFC 3629, section 4: what the first byte says of the sequence. The second byte's range is what
// keeps out long forms, surrogates, and what lies above U+10FFFF; later bytes are always 80..BF.
struct Sequence {
  std::size_t size;
  std::uint8_t second_low;
  std::uint8_t second_high;
};

constexpr Sequence SequenceOf(std::uint8_t first) {
  if (first < 0x80) {
    return {1, 0, 0};
  }
  if (first < 0xC2 || first > 0xF4) {
    return {0, 0, 0};
  }
  if (first < 0xE0) {
    return {2, 0x80, 0xBF};
  }
  if (first < 0xF0) {
    return {3, first == 0xE0 ? std::uint8_t{0xA0} : std::uint8_t{0x80},
            first == 0xED ? std::uint8_t{0x9F} : std::uint8_t{0xBF}};
  }
  return {4, first == 0xF0 ? std::uint8_t{0x90} : std::uint8_t{0x80},
          first == 0xF4 ? std::uint8_t{0x8F} : std::uint8_t{0xBF}};
}

}  // namespace

bool IsUtf8(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint8_t>(text[i]);
  };
  for (std::size_t i = 0; i < text.size();) {
    const Sequence sequence = SequenceOf(byte(i));
    if (sequence.size == 0 || text.size() - i < sequence.size) {
      return false;
    }
    if (sequence.size > 1 &&
        (byte(i + 1) < sequence.second_low || byte(i + 1) > sequence.second_high)) {
      return false;
    }
    for (std::size_t k = 2; k < sequence.size; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) {
        return false;
      }
    }
    i += sequence.size;
  }
  return true;
}

}  // namespace mimi
