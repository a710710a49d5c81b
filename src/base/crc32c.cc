#include "src/base/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define MIMI_CRC32C_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#define MIMI_CRC32C_TARGET __attribute__((target("+crc")))
#endif

namespace mimi {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // reflected

// kSlices[k][b]: what byte b does to the register when k more zero bytes follow it. Eight of these
// tables let the portable way take eight bytes a step ("slicing by 8").
using Slices = std::array<std::array<uint32_t, 256>, 8>;

constexpr Slices MakeSlices() {
  Slices slices{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    }
    slices[0][byte] = crc;
  }
  for (size_t k = 1; k < slices.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = slices[k - 1][byte];
      slices[k][byte] = (crc >> 8) ^ slices[0][crc & 0xFF];
    }
  }
  return slices;
}

constexpr Slices kSlices = MakeSlices();

uint32_t StepPortable(uint32_t state, uint8_t byte) {
  return (state >> 8) ^ kSlices[0][(state ^ byte) & 0xFF];
}

uint64_t LoadLittleEndian(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) {
    word = __builtin_bswap64(word);
  }
  return word;
}

#if defined(MIMI_CRC32C_TARGET)

// The instruction takes eight bytes, gives its result after three cycles and can start each cycle.
// So three neighbouring blocks are checksummed at once and joined: the register after block A,
// moved over the length of block B, is what A contributes to the register after A and B.
//
// Moving over n zero bytes is linear in the register's bits. kMove holds that map for one n as
// four tables, one for each byte of the register.
using Move = std::array<std::array<uint32_t, 256>, 4>;
using Columns = std::array<uint32_t, 32>;  // what each single bit of the register becomes

constexpr uint32_t Apply(const Columns& columns, uint32_t state) {
  uint32_t result = 0;
  for (size_t bit = 0; state != 0; ++bit, state >>= 1) {
    if ((state & 1) != 0) {
      result ^= columns[bit];
    }
  }
  return result;
}

// REQUIRES: bytes is a power of two.
constexpr Move MakeMove(size_t bytes) {
  Columns columns{};
  for (size_t bit = 0; bit < columns.size(); ++bit) {
    const uint32_t state = uint32_t{1} << bit;
    columns[bit] = (state >> 8) ^ kSlices[0][state & 0xFF];  // over one zero byte
  }
  for (; bytes > 1; bytes /= 2) {
    Columns twice{};
    for (size_t bit = 0; bit < columns.size(); ++bit) {
      twice[bit] = Apply(columns, columns[bit]);
    }
    columns = twice;
  }
  Move move{};
  for (size_t k = 0; k < move.size(); ++k) {
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const auto lowest = static_cast<size_t>(std::countr_zero(byte));
      move[k][byte] = move[k][byte & (byte - 1)] ^ columns[8 * k + lowest];
    }
  }
  return move;
}

constexpr size_t kLongBlock = 1024;
constexpr size_t kShortBlock = 128;
constexpr Move kMoveLong = MakeMove(kLongBlock);
constexpr Move kMoveShort = MakeMove(kShortBlock);

uint32_t Over(const Move& move, uint32_t state) {
  return move[0][state & 0xFF] ^ move[1][(state >> 8) & 0xFF] ^ move[2][(state >> 16) & 0xFF] ^
         move[3][state >> 24];
}

#if defined(__x86_64__)

MIMI_CRC32C_TARGET inline uint32_t Step1(uint32_t state, uint8_t byte) {
  return _mm_crc32_u8(state, byte);
}

MIMI_CRC32C_TARGET inline uint32_t Step8(uint32_t state, uint64_t word) {
  return static_cast<uint32_t>(_mm_crc32_u64(state, word));
}

bool HasInstruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}

#else

MIMI_CRC32C_TARGET inline uint32_t Step1(uint32_t state, uint8_t byte) {
  return __builtin_aarch64_crc32cb(state, byte);
}

MIMI_CRC32C_TARGET inline uint32_t Step8(uint32_t state, uint64_t word) {
  return __builtin_aarch64_crc32cx(state, word);
}

constexpr unsigned long kHwcapCrc32 = 1UL << 7;  // HWCAP_CRC32 of <asm/hwcap.h>

bool HasInstruction() {
  return (getauxval(AT_HWCAP) & kHwcapCrc32) != 0;
}

#endif

template <size_t kBlock>
MIMI_CRC32C_TARGET inline uint32_t StepBlocks(uint32_t state, const uint8_t* bytes,
                                              const Move& move) {
  uint32_t second = 0;
  uint32_t third = 0;
  for (size_t i = 0; i < kBlock; i += 8) {
    state = Step8(state, LoadLittleEndian(bytes + i));
    second = Step8(second, LoadLittleEndian(bytes + kBlock + i));
    third = Step8(third, LoadLittleEndian(bytes + 2 * kBlock + i));
  }
  return Over(move, Over(move, state) ^ second) ^ third;
}

MIMI_CRC32C_TARGET uint32_t ExtendAccelerated(uint32_t crc, const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  uint32_t state = ~crc;
  for (; size >= 3 * kLongBlock; bytes += 3 * kLongBlock, size -= 3 * kLongBlock) {
    state = StepBlocks<kLongBlock>(state, bytes, kMoveLong);
  }
  for (; size >= 3 * kShortBlock; bytes += 3 * kShortBlock, size -= 3 * kShortBlock) {
    state = StepBlocks<kShortBlock>(state, bytes, kMoveShort);
  }
  for (; size >= 8; bytes += 8, size -= 8) {
    state = Step8(state, LoadLittleEndian(bytes));
  }
  for (; size > 0; ++bytes, --size) {
    state = Step1(state, *bytes);
  }
  return ~state;
}

#endif  // MIMI_CRC32C_TARGET

using Function = uint32_t (*)(uint32_t, const void*, size_t);

Function Fastest() {
#if defined(MIMI_CRC32C_TARGET)
  if (HasInstruction()) {
    return ExtendAccelerated;
  }
#endif
  return internal::ExtendCrc32cPortable;
}

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, const void* data, size_t size) {
  static const Function fastest = Fastest();
  return fastest(crc, data, size);
}

namespace internal {

uint32_t ExtendCrc32cPortable(uint32_t crc, const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  uint32_t state = ~crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    const uint64_t word = LoadLittleEndian(bytes) ^ state;
    state = 0;
    for (size_t k = 0; k < kSlices.size(); ++k) {
      state ^= kSlices[7 - k][(word >> (8 * k)) & 0xFF];
    }
  }
  for (; size > 0; ++bytes, --size) {
    state = StepPortable(state, *bytes);
  }
  return ~state;
}

bool Crc32cIsAccelerated() {
  return Fastest() != ExtendCrc32cPortable;
}

}  // namespace internal
}  // namespace mimi
