#include "src/base/crc32c.h"

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace mimi {
namespace {

// Bit by bit, straight from the definition.
uint32_t Slowest(const uint8_t* bytes, size_t size) {
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    }
  }
  return ~crc;
}

std::vector<uint8_t> Random(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random());
  }
  return bytes;
}

TEST_CASE("crc32c: the vectors of RFC 3720, appendix B.4, come out") {
  std::vector<uint8_t> bytes(32, 0x00);
  CHECK(Crc32c(bytes.data(), bytes.size()) == 0x8A9136AA);
  bytes.assign(32, 0xFF);
  CHECK(Crc32c(bytes.data(), bytes.size()) == 0x62A8AB43);
  for (size_t i = 0; i < 32; ++i) {
    bytes[i] = static_cast<uint8_t>(i);
  }
  CHECK(Crc32c(bytes.data(), bytes.size()) == 0x46DD794E);
  for (size_t i = 0; i < 32; ++i) {
    bytes[i] = static_cast<uint8_t>(31 - i);
  }
  CHECK(Crc32c(bytes.data(), bytes.size()) == 0x113FDB5C);
  // An iSCSI SCSI Read (10) command PDU.
  const uint8_t pdu[48] = {0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0,    0, 0, 0, 0,
                           0x14, 0,    0, 0, 0, 0, 4, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                           0x28, 0,    0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0,    0, 0, 0, 0};
  CHECK(Crc32c(pdu, sizeof(pdu)) == 0xD9963A56);
  const std::string_view digits = "123456789";
  CHECK(Crc32c(digits.data(), digits.size()) == 0xE3069283);
}

TEST_CASE("crc32c: nothing has the value 0, and adds nothing") {
  CHECK(Crc32c(nullptr, 0) == 0);
  CHECK(ExtendCrc32c(0x12345678, nullptr, 0) == 0x12345678);
  CHECK(internal::ExtendCrc32cPortable(0x12345678, nullptr, 0) == 0x12345678);
}

TEST_CASE("crc32c: every length and alignment agrees with the definition") {
  MESSAGE("accelerated: ", internal::Crc32cIsAccelerated());
  const std::vector<uint8_t> bytes = Random(800 + 8, 1);
  for (size_t offset = 0; offset < 8; ++offset) {
    for (size_t size = 0; size <= 800; size += offset == 0 ? 1 : 7) {
      const uint32_t expected = Slowest(bytes.data() + offset, size);
      REQUIRE_MESSAGE(Crc32c(bytes.data() + offset, size) == expected, "size ", size);
      REQUIRE_MESSAGE(internal::ExtendCrc32cPortable(0, bytes.data() + offset, size) == expected,
                      "size ", size);
    }
  }
}

TEST_CASE("crc32c: large buffers agree with the definition at the block boundaries") {
  const std::vector<uint8_t> bytes = Random(70'000, 2);
  for (const size_t size : {3071u, 3072u, 3073u, 6144u, 9999u, 20'480u, 65'536u, 70'000u}) {
    CAPTURE(size);
    const uint32_t expected = Slowest(bytes.data(), size);
    CHECK(Crc32c(bytes.data(), size) == expected);
    CHECK(internal::ExtendCrc32cPortable(0, bytes.data(), size) == expected);
  }
}

TEST_CASE("crc32c: two parts give the same as the whole, wherever it is cut") {
  const std::vector<uint8_t> bytes = Random(4'000, 3);
  const uint32_t whole = Crc32c(bytes.data(), bytes.size());
  for (size_t cut = 0; cut <= bytes.size(); cut += 97) {
    const uint32_t head = Crc32c(bytes.data(), cut);
    REQUIRE(ExtendCrc32c(head, bytes.data() + cut, bytes.size() - cut) == whole);
  }
}

TEST_CASE("crc32c: each single flipped bit is seen") {
  std::vector<uint8_t> bytes = Random(512, 4);
  const uint32_t good = Crc32c(bytes.data(), bytes.size());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<uint8_t>(1u << (bit % 8));
    bytes[bit / 8] ^= mask;
    REQUIRE(Crc32c(bytes.data(), bytes.size()) != good);
    bytes[bit / 8] ^= mask;
  }
}

}  // namespace
}  // namespace mimi
