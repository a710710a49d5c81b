// CRC-32C (Castagnoli): the checksum of batches and of the file store's log.
//
// The polynomial of iSCSI (RFC 3720, section 12.1), ext4 and SCTP, chosen because x86-64 (SSE 4.2)
// and arm64 (CRC extension) have an instruction for it. The fastest way the processor offers is
// picked once, at the first call; all ways give the same value.
//
// Example:
//   uint32_t crc = Crc32c(header, sizeof(header));
//   crc = ExtendCrc32c(crc, rows, rows_size);  // the same as one call over both
//
// Threads: any.
#ifndef MIMI_SRC_BASE_CRC32C_H_
#define MIMI_SRC_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>

namespace mimi {

// The CRC of what `crc` covers followed by `size` bytes at `data`. `data` may be null when `size`
// is 0.
uint32_t ExtendCrc32c(uint32_t crc, const void* data, size_t size);

inline uint32_t Crc32c(const void* data, size_t size) {
  return ExtendCrc32c(0, data, size);
}

namespace internal {

// The same in portable C++: what runs where the instruction is missing, and what tests compare
// with.
uint32_t ExtendCrc32cPortable(uint32_t crc, const void* data, size_t size);

// Whether ExtendCrc32c uses the processor's instruction here.
bool Crc32cIsAccelerated();

}  // namespace internal
}  // namespace mimi

#endif  // MIMI_SRC_BASE_CRC32C_H_
