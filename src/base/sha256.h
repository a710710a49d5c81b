#ifndef MIMI_SRC_BASE_SHA256_H_
#define MIMI_SRC_BASE_SHA256_H_

// SHA-256 (FIPS 180-4) and HMAC over it (RFC 2104), for packets of our own: about a hundred bytes
// each, a few hundred a second, so simple rather than fast.
//
// Threads: values; any.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mimi {

using Sha256Digest = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256& Add(std::span<const std::byte> bytes);
  /// Ends it: nothing may be added afterwards.
  Sha256Digest Finish();

 private:
  void Block(const std::byte* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> buffer_{};
  std::uint64_t size_ = 0;
};

/// Any size of key.
Sha256Digest HmacSha256(std::span<const std::byte> key, std::span<const std::byte> message);

/// Whether both are the same bytes, in a time that does not depend on where they differ.
bool EqualInConstantTime(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace mimi

#endif  // MIMI_SRC_BASE_SHA256_H_
