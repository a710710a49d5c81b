#ifndef MIMI_SRC_BASE_BYTES_H_
#define MIMI_SRC_BASE_BYTES_H_

// Integers in byte strings, and Puller: reading a byte string from the front without ever leaving
// it.
//
//   Puller in(bytes);
//   std::uint16_t length;
//   std::span<const std::byte> body;
//   if (!in.Le(&length) || !in.Take(length, &body)) {
//     return Error(absl::StatusCode::kDataLoss, "offset {}: truncated", in.offset());
//   }
//
// Threads: values; one at a time.
// Lifetime: a Puller and what it hands out are views of the bytes given to it.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace mimi {

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

namespace internal {

template <std::unsigned_integral U>
constexpr U SwapBytes(U value) {
  if constexpr (sizeof(U) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(U) == 4) {
    return __builtin_bswap32(value);
  } else if constexpr (sizeof(U) == 8) {
    return __builtin_bswap64(value);
  } else {
    static_assert(sizeof(U) == 1);
    return value;
  }
}

template <std::endian kOrder, std::unsigned_integral U>
U Load(const void* from) {
  U value;
  std::memcpy(&value, from, sizeof value);
  return kOrder == std::endian::native ? value : SwapBytes(value);
}

template <std::endian kOrder, std::unsigned_integral U>
void Store(void* to, U value) {
  if constexpr (kOrder != std::endian::native) {
    value = SwapBytes(value);
  }
  std::memcpy(to, &value, sizeof value);
}

}  // namespace internal

/// Little-endian, as in our own formats. No alignment is needed.
template <std::unsigned_integral U>
U LoadLe(const void* from) {
  return internal::Load<std::endian::little, U>(from);
}
template <std::unsigned_integral U>
void StoreLe(void* to, U value) {
  internal::Store<std::endian::little>(to, value);
}

/// Big-endian, as in network protocols.
template <std::unsigned_integral U>
U LoadBe(const void* from) {
  return internal::Load<std::endian::big, U>(from);
}
template <std::unsigned_integral U>
void StoreBe(void* to, U value) {
  internal::Store<std::endian::big>(to, value);
}

/// Reads a byte string from the front. Every method returns false, and takes nothing, when too few
/// bytes are left.
class Puller {
 public:
  explicit Puller(std::span<const std::byte> bytes) : rest_(bytes), size_(bytes.size()) {}
  explicit Puller(std::string_view bytes) : Puller(AsBytes(bytes)) {}

  std::size_t offset() const { return size_ - rest_.size(); }
  std::size_t remaining() const { return rest_.size(); }
  bool done() const { return rest_.empty(); }
  std::span<const std::byte> rest() const { return rest_; }

  template <std::unsigned_integral U>
  bool Le(U* value) {
    return Pull<std::endian::little>(value);
  }
  template <std::unsigned_integral U>
  bool Be(U* value) {
    return Pull<std::endian::big>(value);
  }
  bool Take(std::size_t size, std::span<const std::byte>* bytes) {
    if (rest_.size() < size) {
      return false;
    }
    *bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }
  bool Skip(std::size_t size) {
    std::span<const std::byte> ignored;
    return Take(size, &ignored);
  }
  /// Text behind its length in one byte.
  bool Text8(std::string_view* text) {
    Puller ahead = *this;
    std::uint8_t size;
    std::span<const std::byte> bytes;
    if (!ahead.Le(&size) || !ahead.Take(size, &bytes)) {
      return false;
    }
    *text = AsText(bytes);
    *this = ahead;
    return true;
  }

 private:
  template <std::endian kOrder, std::unsigned_integral U>
  bool Pull(U* value) {
    if (rest_.size() < sizeof(U)) {
      return false;
    }
    *value = internal::Load<kOrder, U>(rest_.data());
    rest_ = rest_.subspan(sizeof(U));
    return true;
  }

  std::span<const std::byte> rest_;
  std::size_t size_;
};

/// Appending to a growing byte string; the mirror of Puller.
template <std::unsigned_integral U>
void AppendLe(std::string* out, U value) {
  char bytes[sizeof(U)];
  StoreLe(bytes, value);
  out->append(bytes, sizeof bytes);
}
template <std::unsigned_integral U>
void AppendBe(std::string* out, U value) {
  char bytes[sizeof(U)];
  StoreBe(bytes, value);
  out->append(bytes, sizeof bytes);
}
/// REQUIRES: text.size() <= 255.
inline void AppendText8(std::string* out, std::string_view text) {
  out->push_back(static_cast<char>(static_cast<std::uint8_t>(text.size())));
  out->append(text);
}

}  // namespace mimi

#endif  // MIMI_SRC_BASE_BYTES_H_
