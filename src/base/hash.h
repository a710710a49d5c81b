#ifndef MIMI_SRC_BASE_HASH_H_
#define MIMI_SRC_BASE_HASH_H_

// Two hashes. Fnv1a64 is part of the formats (names, fingerprints): everybody computes the same.
// RowHash places keys in hash tables: fast for the 13 to 39 bytes that keys have, and different for
// each table.
//
// Threads: values; any.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "src/base/bytes.h"

namespace mimi {

/// FNV-1a with 64 bits (draft-eastlake-fnv-17), fed piece by piece.
class Fnv1a64 {
 public:
  constexpr Fnv1a64& Add(std::string_view bytes) {
    for (const char c : bytes) {
      state_ = (state_ ^ static_cast<std::uint8_t>(c)) * 0x00000100000001B3U;
    }
    return *this;
  }
  constexpr std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325U;
};

constexpr std::uint64_t HashName(std::string_view name) {
  return Fnv1a64().Add(name).value();
}

/// A keyed hash of a row's key, after wyhash: each 16 bytes cost one multiplication of 64 by 64
/// bits.
///
/// Packets choose keys, so packets could choose keys that fall into one bucket. The seed must
/// therefore be random for each table. All constants that wyhash fixes are drawn from the seed
/// here, since with known ones an attacker makes a factor zero (a word equal to the constant) and
/// collides under every seed.
class RowHash {
 public:
  explicit RowHash(std::uint64_t seed) {
    for (std::uint64_t& secret : secrets_) {
      secret = SplitMix(&seed);
    }
  }

  std::uint64_t operator()(std::span<const std::byte> key) const {
    const std::byte* at = key.data();
    std::size_t left = key.size();
    std::uint64_t state = secrets_[0] ^ left;
    for (; left > 16; left -= 16, at += 16) {
      state = Mix(LoadLe<std::uint64_t>(at) ^ secrets_[1], LoadLe<std::uint64_t>(at + 8) ^ state);
    }
    std::uint64_t a;
    std::uint64_t b;
    if (left >= 8) {  // the two words may overlap
      a = LoadLe<std::uint64_t>(at);
      b = LoadLe<std::uint64_t>(at + left - 8);
    } else if (left >= 4) {
      a = LoadLe<std::uint32_t>(at);
      b = LoadLe<std::uint32_t>(at + left - 4);
    } else if (left > 0) {
      a = Byte(at) << 16 | Byte(at + left / 2) << 8 | Byte(at + left - 1);
      b = 0;
    } else {
      a = b = 0;
    }
    return Mix(Mix(a ^ secrets_[2], b ^ state), secrets_[3]);
  }

 private:
  static std::uint64_t Byte(const std::byte* at) { return std::to_integer<std::uint64_t>(*at); }

  // https://prng.di.unimi.it/splitmix64.c
  static std::uint64_t SplitMix(std::uint64_t* state) {
    std::uint64_t z = (*state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  static std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  std::uint64_t secrets_[4];
};

}  // namespace mimi

#endif  // MIMI_SRC_BASE_HASH_H_
