#ifndef MIMI_SRC_STORE_FILE_LAYOUT_H_
#define MIMI_SRC_STORE_FILE_LAYOUT_H_

// The bytes of a file store (FORMAT.md in this directory): what stands in its control file, its
// feed files and its base files. All integers little-endian, all checksums CRC-32C.
//
// Everything here is a pure function of bytes and treats them as hostile.
//
// Threads: any.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/record.h"

namespace mimi::internal {

inline constexpr std::uint32_t kFileFormat = 1;

// A place in the feed's files. Places only grow, and one that a frame starts at names that frame.
struct LogPlace {
  std::uint64_t segment = 0;  // 0: before everything
  std::uint64_t offset = 0;
  friend auto operator<=>(const LogPlace&, const LogPlace&) = default;
};

using BootId = std::array<std::byte, 16>;

// --- control file -----------------------------------------------------------------------------

// What all processes agree on. Written whole, under the append lock, into the older of two slots.
struct ControlState {
  std::uint64_t generation = 0;  // 0: a store that nobody has used yet
  std::uint64_t incarnation = 0;
  std::uint64_t first_segment = 0;  // the oldest feed file that is kept
  std::uint64_t base = 0;           // replay starts at base file `base`, then feed file `base`
  LogPlace end{};                   // readers go up to here, writers go on from here
  Position head = 0;                // the position at `end`
  Position trimmed = 0;             // the position at which `first_segment` starts
  LogPlace durable{};               // up to here it is known to be on the disc
  std::uint64_t bytes_since_base = 0;
  BootId boot{};  // the boot of the machine in which this was written
  friend bool operator==(const ControlState&, const ControlState&) = default;
};

inline constexpr std::size_t kControlFileSize = 4096;
inline constexpr std::size_t kControlHeaderSize = 64;
inline constexpr std::size_t kSlotSize = 128;
// In sectors of their own, so that a write torn by a power failure spoils one at most.
inline constexpr std::array<std::size_t, 2> kSlotOffsets = {1024, 2048};

std::array<std::byte, kControlHeaderSize> EncodeControlHeader();
// Errors: FailedPrecondition (another format), DataLoss (damaged).
absl::Status CheckControlHeader(std::span<const std::byte> bytes, std::string_view path);

std::array<std::byte, kSlotSize> EncodeSlot(const ControlState& state);
std::optional<ControlState> DecodeSlot(std::span<const std::byte> bytes);
// The newer of the two slots that is whole; nullopt when neither is. `both`: whether both are.
std::optional<ControlState> DecodeControl(std::span<const std::byte> file, bool* both);

// --- feed and base files ------------------------------------------------------------------------

enum class FileKind : std::uint32_t { kFeed = 1, kBase = 2 };

struct FileHeader {
  FileKind kind = FileKind::kFeed;
  std::uint64_t number = 0;
  Position start = 0;  // feed: the position before its first frame; base: the one it was begun at
  friend bool operator==(const FileHeader&, const FileHeader&) = default;
};
inline constexpr std::size_t kFileHeaderSize = 64;

std::array<std::byte, kFileHeaderSize> EncodeFileHeader(const FileHeader& header);
// Errors: FailedPrecondition (another format), DataLoss (damaged, or not the file it should be).
absl::StatusOr<FileHeader> DecodeFileHeader(std::span<const std::byte> bytes, FileKind kind,
                                            std::uint64_t number, std::string_view path);

// The numbers are part of the format.
enum class FrameType : std::uint8_t {
  kBatch = 1,    // a sealed batch, as it came; its own checksum covers it
  kSchema = 2,   // StateSchema::Serialize(): the table is known from here on
  kClaim = 3,    // a term was handed out
  kLease = 4,    // a lease was taken, extended or released
  kBoot = 5,     // the machine was started anew: new incarnation, leases are void
  kStreams = 6,  // base files: how far each writer's batches have come
  kPair = 7,     // base files: terms and positions at the beginning of the base
  kEnd = 8,      // base files: complete
};

struct FrameHeader {
  FrameType type = FrameType::kBatch;
  std::uint32_t size = 0;         // of the payload behind this header
  Position position = 0;          // the head before this frame
  std::uint32_t payload_crc = 0;  // 0 for batches
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};
inline constexpr std::size_t kFrameHeaderSize = 24;
inline constexpr std::size_t kMaxFrameSize = kFrameHeaderSize + kMaxBatchSize;

// The checksum starts from the file's number, so that bytes of another file never pass.
std::array<std::byte, kFrameHeaderSize> EncodeFrameHeader(const FrameHeader& header,
                                                          std::uint64_t file_number);
// nullopt: no frame starts with these bytes. REQUIRES: kFrameHeaderSize bytes.
std::optional<FrameHeader> DecodeFrameHeader(std::span<const std::byte> bytes,
                                             std::uint64_t file_number);

// "feed-0000000000000001", "base-0000000000000001".
std::string FileName(FileKind kind, std::uint64_t number);
// The number, when `name` is one of ours of this kind.
std::optional<std::uint64_t> ParseFileName(std::string_view name, FileKind kind);

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_LAYOUT_H_
