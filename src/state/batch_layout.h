#ifndef MIMI_SRC_STATE_BATCH_LAYOUT_H_
#define MIMI_SRC_STATE_BATCH_LAYOUT_H_

// Where things stand in a batch (FORMAT.md, "Batches"). All integers little-endian:
//
//    0  u32 magic "MIMB"      8  u64 table           40  u64 first sequence   62  u16 key size
//    4  u8  format = 1       16  u64 fingerprint     48  i64 time, ns         64  u32 payload size
//    5  u8  header size      24  u64 origin          56  u32 count            68  u32 zero
//    6  u16 flags            32  u64 term            60  u16 row size         72  payload, u32
//    CRC-32C

#include <cstddef>
#include <cstdint>

namespace mimi::internal {

inline constexpr std::uint32_t kBatchMagic = 0x424D494D;  // "MIMB", read little-endian
inline constexpr std::uint8_t kBatchFormat = 1;

inline constexpr std::size_t kMagicAt = 0;
inline constexpr std::size_t kFormatAt = 4;
inline constexpr std::size_t kHeaderSizeAt = 5;
inline constexpr std::size_t kFlagsAt = 6;
inline constexpr std::size_t kTableAt = 8;
inline constexpr std::size_t kFingerprintAt = 16;
inline constexpr std::size_t kOriginAt = 24;
inline constexpr std::size_t kTermAt = 32;
inline constexpr std::size_t kFirstSequenceAt = 40;
inline constexpr std::size_t kTimeAt = 48;
inline constexpr std::size_t kCountAt = 56;
inline constexpr std::size_t kRowSizeAt = 60;
inline constexpr std::size_t kKeySizeAt = 62;
inline constexpr std::size_t kPayloadSizeAt = 64;
inline constexpr std::size_t kZeroAt = 68;

// An entry is op(1) row, or in a versioned batch op(1) origin(8) term(8) sequence(8) row. All
// entries of a batch have one size; an erase fills what follows its key with zeros.
inline constexpr std::size_t kOpSize = 1;
inline constexpr std::size_t kEntryVersionSize = 24;

}  // namespace mimi::internal

#endif  // MIMI_SRC_STATE_BATCH_LAYOUT_H_
