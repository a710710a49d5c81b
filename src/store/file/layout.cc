#include "src/store/file/layout.h"

#include <algorithm>
#include <cstring>

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::string_view kControlMagic = "MIMICTL\n";
constexpr std::string_view kFeedMagic = "MIMIFEED";
constexpr std::string_view kBaseMagic = "MIMIBASE";

// Offsets within a header of 64 bytes, the same for all three kinds of file.
constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kFormatAt = 8;
constexpr std::size_t kNumberAt = 16;
constexpr std::size_t kStartAt = 24;
constexpr std::size_t kHeaderCrcAt = 60;

std::array<std::byte, 64> MakeHeader(std::string_view magic, std::uint64_t number, Position start) {
  std::array<std::byte, 64> bytes{};
  std::memcpy(bytes.data() + kMagicAt, magic.data(), magic.size());
  StoreLe(bytes.data() + kFormatAt, kFileFormat);
  StoreLe(bytes.data() + kNumberAt, number);
  StoreLe(bytes.data() + kStartAt, start);
  StoreLe(bytes.data() + kHeaderCrcAt, Crc32c(bytes.data(), kHeaderCrcAt));
  return bytes;
}

absl::Status CheckHeader(std::span<const std::byte> bytes, std::string_view magic,
                         std::string_view path) {
  if (bytes.size() < 64) {
    return Error(absl::StatusCode::kDataLoss, "{}: {} bytes, a header has 64", path, bytes.size());
  }
  if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    return Error(absl::StatusCode::kDataLoss, "{}: does not start with {}: not ours, or damaged",
                 path, magic.substr(0, 7));
  }
  const auto format = LoadLe<std::uint32_t>(bytes.data() + kFormatAt);
  const bool whole =
      LoadLe<std::uint32_t>(bytes.data() + kHeaderCrcAt) == Crc32c(bytes.data(), kHeaderCrcAt);
  if (!whole) {
    return Error(absl::StatusCode::kDataLoss, "{}: offset 0: the header's checksum is wrong", path);
  }
  if (format != kFileFormat) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: is of format {}, this program knows {}: use the program that wrote it, or "
                 "move the store away",
                 path, format, kFileFormat);
  }
  return absl::OkStatus();
}

std::string_view MagicOf(FileKind kind) {
  return kind == FileKind::kFeed ? kFeedMagic : kBaseMagic;
}

}  // namespace

std::array<std::byte, kControlHeaderSize> EncodeControlHeader() {
  return MakeHeader(kControlMagic, 0, 0);
}

absl::Status CheckControlHeader(std::span<const std::byte> bytes, std::string_view path) {
  return CheckHeader(bytes, kControlMagic, path);
}

namespace {

// A state that can be: whoever reads it may go from one of its numbers to another without looking.
bool IsSane(const ControlState& state) {
  if (state.end.segment == 0) {
    return state.generation == 0;
  }
  constexpr std::uint64_t kMostFiles = 1 << 20;
  return state.first_segment >= 1 && state.first_segment <= state.end.segment &&
         state.end.segment - state.first_segment < kMostFiles &&
         (state.base == 0 ? state.first_segment == 1
                          : state.base >= state.first_segment && state.base <= state.end.segment) &&
         state.end.offset >= kFileHeaderSize && state.end.offset < (std::uint64_t{1} << 62) &&
         state.trimmed <= state.head && state.durable <= state.end;
}

}  // namespace

std::array<std::byte, kSlotSize> EncodeSlot(const ControlState& state) {
  std::array<std::byte, kSlotSize> bytes{};
  const std::array<std::uint64_t, 11> words = {
      state.generation,     state.incarnation,     state.first_segment,
      state.base,           state.end.segment,     state.end.offset,
      state.head,           state.trimmed,         state.durable.segment,
      state.durable.offset, state.bytes_since_base};
  std::byte* at = bytes.data();
  for (const std::uint64_t word : words) {
    StoreLe(at, word);
    at += 8;
  }
  std::memcpy(at, state.boot.data(), state.boot.size());
  StoreLe(bytes.data() + kSlotSize - 4, Crc32c(bytes.data(), kSlotSize - 4));
  return bytes;
}

std::optional<ControlState> DecodeSlot(std::span<const std::byte> bytes) {
  if (bytes.size() < kSlotSize ||
      LoadLe<std::uint32_t>(bytes.data() + kSlotSize - 4) != Crc32c(bytes.data(), kSlotSize - 4)) {
    return std::nullopt;
  }
  std::array<std::uint64_t, 11> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = LoadLe<std::uint64_t>(bytes.data() + 8 * i);
  }
  ControlState state{.generation = words[0],
                     .incarnation = words[1],
                     .first_segment = words[2],
                     .base = words[3],
                     .end = {words[4], words[5]},
                     .head = words[6],
                     .trimmed = words[7],
                     .durable = {words[8], words[9]},
                     .bytes_since_base = words[10],
                     .boot = {}};
  std::memcpy(state.boot.data(), bytes.data() + 8 * words.size(), state.boot.size());
  return IsSane(state) ? std::optional(state) : std::nullopt;
}

std::optional<ControlState> DecodeControl(std::span<const std::byte> file, bool* both) {
  std::optional<ControlState> newest;
  std::size_t whole = 0;
  for (const std::size_t offset : kSlotOffsets) {
    if (file.size() < offset + kSlotSize) {
      continue;
    }
    const std::optional<ControlState> state = DecodeSlot(file.subspan(offset, kSlotSize));
    whole += state.has_value() ? 1U : 0U;
    if (state.has_value() && (!newest.has_value() || state->generation > newest->generation)) {
      newest = state;
    }
  }
  *both = whole == kSlotOffsets.size();
  return newest;
}

std::array<std::byte, kFileHeaderSize> EncodeFileHeader(const FileHeader& header) {
  return MakeHeader(MagicOf(header.kind), header.number, header.start);
}

absl::StatusOr<FileHeader> DecodeFileHeader(std::span<const std::byte> bytes, FileKind kind,
                                            std::uint64_t number, std::string_view path) {
  if (absl::Status status = CheckHeader(bytes, MagicOf(kind), path); !status.ok()) {
    return status;
  }
  const FileHeader header = {kind, LoadLe<std::uint64_t>(bytes.data() + kNumberAt),
                             LoadLe<std::uint64_t>(bytes.data() + kStartAt)};
  if (header.number != number) {
    return Error(absl::StatusCode::kDataLoss, "{}: says that it is number {}: was it renamed?",
                 path, header.number);
  }
  return header;
}

std::array<std::byte, kFrameHeaderSize> EncodeFrameHeader(const FrameHeader& header,
                                                          std::uint64_t file_number) {
  std::array<std::byte, kFrameHeaderSize> bytes{};
  StoreLe(bytes.data(), header.size);
  StoreLe(bytes.data() + 4, static_cast<std::uint32_t>(header.type));
  StoreLe(bytes.data() + 8, header.position);
  StoreLe(bytes.data() + 16, header.payload_crc);
  StoreLe(bytes.data() + 20,
          ExtendCrc32c(static_cast<std::uint32_t>(file_number), bytes.data(), 20));
  return bytes;
}

std::optional<FrameHeader> DecodeFrameHeader(std::span<const std::byte> bytes,
                                             std::uint64_t file_number) {
  const auto type = LoadLe<std::uint32_t>(bytes.data() + 4);
  const FrameHeader header = {static_cast<FrameType>(type), LoadLe<std::uint32_t>(bytes.data()),
                              LoadLe<std::uint64_t>(bytes.data() + 8),
                              LoadLe<std::uint32_t>(bytes.data() + 16)};
  if (type < static_cast<std::uint32_t>(FrameType::kBatch) ||
      type > static_cast<std::uint32_t>(FrameType::kEnd) || header.size > kMaxBatchSize ||
      LoadLe<std::uint32_t>(bytes.data() + 20) !=
          ExtendCrc32c(static_cast<std::uint32_t>(file_number), bytes.data(), 20)) {
    return std::nullopt;
  }
  return header;
}

std::string FileName(FileKind kind, std::uint64_t number) {
  return fmt::format("{}-{:016}", kind == FileKind::kFeed ? "feed" : "base", number);
}

std::optional<std::uint64_t> ParseFileName(std::string_view name, FileKind kind) {
  const std::string_view prefix = kind == FileKind::kFeed ? "feed-" : "base-";
  if (name.size() != prefix.size() + 16 || !name.starts_with(prefix)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char c : name.substr(prefix.size())) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

}  // namespace mimi::internal
