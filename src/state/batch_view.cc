#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mimi/record.h"

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/base/hash.h"
#include "src/base/status.h"
#include "src/state/batch_layout.h"

namespace mimi {
namespace {

using internal::kEntryVersionSize;
using internal::kOpSize;

constexpr std::uint16_t kKnownFlags =
    kBatchResyncBegin | kBatchResyncEnd | kBatchHeartbeat | kBatchVersioned;

constexpr std::size_t EntrySize(std::uint16_t flags, std::size_t row_size) {
  return kOpSize + ((flags & kBatchVersioned) != 0 ? kEntryVersionSize : 0) + row_size;
}

// What can be said of a batch from its header alone. REQUIRES: kBatchHeaderSize bytes.
BatchRefusal CheckHeader(const std::byte* header) {
  if (LoadLe<std::uint32_t>(header + internal::kMagicAt) != internal::kBatchMagic) {
    return BatchRefusal::kBadMagic;
  }
  if (LoadLe<std::uint8_t>(header + internal::kFormatAt) != internal::kBatchFormat) {
    return BatchRefusal::kUnknownFormat;
  }
  if (LoadLe<std::uint8_t>(header + internal::kHeaderSizeAt) != kBatchHeaderSize) {
    return BatchRefusal::kBadHeaderSize;
  }
  const auto flags = LoadLe<std::uint16_t>(header + internal::kFlagsAt);
  if ((flags & ~kKnownFlags) != 0 || LoadLe<std::uint32_t>(header + internal::kZeroAt) != 0) {
    return BatchRefusal::kUnknownFlags;
  }
  const std::size_t row_size = LoadLe<std::uint16_t>(header + internal::kRowSizeAt);
  const std::size_t key_size = LoadLe<std::uint16_t>(header + internal::kKeySizeAt);
  if (key_size == 0 || key_size > row_size || row_size > kMaxRowSize) {
    return BatchRefusal::kBadSizes;
  }
  const std::size_t payload = LoadLe<std::uint32_t>(header + internal::kPayloadSizeAt);
  if (payload > kMaxBatchSize - kBatchHeaderSize - kBatchTrailerSize) {
    return BatchRefusal::kTooLarge;
  }
  // Both factors are below 2^32, so the product cannot wrap.
  const std::uint64_t count = LoadLe<std::uint32_t>(header + internal::kCountAt);
  const auto first_sequence = LoadLe<std::uint64_t>(header + internal::kFirstSequenceAt);
  if (count * EntrySize(flags, row_size) != payload || first_sequence + count < first_sequence ||
      ((flags & kBatchHeartbeat) != 0 && count != 0)) {
    return BatchRefusal::kBadCount;
  }
  return BatchRefusal::kNone;
}

bool OpsAreKnown(const std::byte* entry, std::size_t count, std::size_t entry_size) {
  // One comparison for both: kPut and kErase are 1 and 2.
  unsigned wrong = 0;
  for (std::size_t i = 0; i < count; ++i, entry += entry_size) {
    wrong |= static_cast<unsigned>(std::to_integer<std::uint8_t>(*entry) - 1U > 1U);
  }
  return wrong == 0;
}

// What was seen and expected, for people.
std::string Explain(BatchRefusal refusal, std::span<const std::byte> bytes) {
  if (bytes.size() < kBatchHeaderSize) {
    return fmt::format("{} bytes, a header has {}", bytes.size(), kBatchHeaderSize);
  }
  const std::byte* const header = bytes.data();
  const auto payload = LoadLe<std::uint32_t>(header + internal::kPayloadSizeAt);
  switch (refusal) {
    case BatchRefusal::kBadMagic:
      return fmt::format("starts with {:#010x}, expected {:#010x}",
                         LoadLe<std::uint32_t>(header + internal::kMagicAt), internal::kBatchMagic);
    case BatchRefusal::kUnknownFormat:
      return fmt::format("format {}, expected {}",
                         LoadLe<std::uint8_t>(header + internal::kFormatAt),
                         internal::kBatchFormat);
    case BatchRefusal::kBadHeaderSize:
      return fmt::format("header of {} bytes, expected {}",
                         LoadLe<std::uint8_t>(header + internal::kHeaderSizeAt), kBatchHeaderSize);
    case BatchRefusal::kUnknownFlags:
      return fmt::format("flags {:#06x}, known are {:#06x}",
                         LoadLe<std::uint16_t>(header + internal::kFlagsAt), kKnownFlags);
    case BatchRefusal::kBadSizes:
      return fmt::format("key of {} bytes in a row of {}, expected 1 <= key <= row <= {}",
                         LoadLe<std::uint16_t>(header + internal::kKeySizeAt),
                         LoadLe<std::uint16_t>(header + internal::kRowSizeAt), kMaxRowSize);
    case BatchRefusal::kBadCount:
      return fmt::format("{} records do not make {} bytes of payload",
                         LoadLe<std::uint32_t>(header + internal::kCountAt), payload);
    case BatchRefusal::kTooLarge:
      return fmt::format("payload of {} bytes, at most {} are allowed", payload,
                         kMaxBatchSize - kBatchHeaderSize - kBatchTrailerSize);
    case BatchRefusal::kTruncated:
      return fmt::format("{} bytes, expected {}", bytes.size(),
                         kBatchHeaderSize + payload + kBatchTrailerSize);
    case BatchRefusal::kBadChecksum:
      return "the bytes were damaged";
    default:
      return "a record is neither a put nor an erase";
  }
}

absl::Status RefusalError(BatchRefusal refusal, std::span<const std::byte> bytes) {
  return Error(absl::StatusCode::kDataLoss, "batch refused, {}: {}", BatchRefusalName(refusal),
               Explain(refusal, bytes));
}

}  // namespace

Origin OriginOf(std::string_view node_name) {
  const std::uint64_t hash = HashName(node_name);
  return hash == 0 ? 1 : hash;  // 0 is nobody
}

std::string_view BatchRefusalName(BatchRefusal refusal) {
  switch (refusal) {
    case BatchRefusal::kNone:
      return "none";
    case BatchRefusal::kTruncated:
      return "truncated";
    case BatchRefusal::kBadMagic:
      return "bad_magic";
    case BatchRefusal::kUnknownFormat:
      return "unknown_format";
    case BatchRefusal::kBadHeaderSize:
      return "bad_header_size";
    case BatchRefusal::kUnknownFlags:
      return "unknown_flags";
    case BatchRefusal::kBadSizes:
      return "bad_sizes";
    case BatchRefusal::kBadCount:
      return "bad_count";
    case BatchRefusal::kBadChecksum:
      return "bad_checksum";
    case BatchRefusal::kBadOp:
      return "bad_op";
    case BatchRefusal::kTooLarge:
      return "too_large";
  }
  return "unknown";
}

BatchRefusal BatchView::TryParse(std::span<const std::byte> bytes, BatchView* out) {
  if (bytes.size() < kBatchHeaderSize) {
    return BatchRefusal::kTruncated;
  }
  const std::byte* const header = bytes.data();
  if (const BatchRefusal refusal = CheckHeader(header); refusal != BatchRefusal::kNone) {
    return refusal;
  }
  const std::size_t covered =
      kBatchHeaderSize + LoadLe<std::uint32_t>(header + internal::kPayloadSizeAt);
  if (bytes.size() != covered + kBatchTrailerSize) {
    return bytes.size() < covered + kBatchTrailerSize ? BatchRefusal::kTruncated
                                                      : BatchRefusal::kTooLarge;
  }
  if (Crc32c(header, covered) != LoadLe<std::uint32_t>(header + covered)) {
    return BatchRefusal::kBadChecksum;
  }
  BatchView view;
  view.bytes_ = bytes;
  view.header_ = {
      .table = LoadLe<std::uint64_t>(header + internal::kTableAt),
      .fingerprint = LoadLe<std::uint64_t>(header + internal::kFingerprintAt),
      .origin = LoadLe<std::uint64_t>(header + internal::kOriginAt),
      .term = LoadLe<std::uint64_t>(header + internal::kTermAt),
      .first_sequence = LoadLe<std::uint64_t>(header + internal::kFirstSequenceAt),
      .time_ns = static_cast<std::int64_t>(LoadLe<std::uint64_t>(header + internal::kTimeAt)),
      .count = LoadLe<std::uint32_t>(header + internal::kCountAt),
      .row_size = LoadLe<std::uint16_t>(header + internal::kRowSizeAt),
      .key_size = LoadLe<std::uint16_t>(header + internal::kKeySizeAt),
      .flags = LoadLe<std::uint16_t>(header + internal::kFlagsAt),
  };
  if (!OpsAreKnown(header + kBatchHeaderSize, view.size(),
                   EntrySize(view.flags(), view.row_size()))) {
    return BatchRefusal::kBadOp;
  }
  *out = view;
  return BatchRefusal::kNone;
}

absl::StatusOr<BatchView> BatchView::Parse(std::span<const std::byte> bytes) {
  BatchView view;
  if (const BatchRefusal refusal = TryParse(bytes, &view); refusal != BatchRefusal::kNone) {
    return RefusalError(refusal, bytes);
  }
  return view;
}

absl::StatusOr<std::size_t> BatchView::SizeOf(std::span<const std::byte> prefix) {
  if (prefix.size() < kBatchHeaderSize) {
    return std::size_t{0};
  }
  if (const BatchRefusal refusal = CheckHeader(prefix.data()); refusal != BatchRefusal::kNone) {
    return RefusalError(refusal, prefix);
  }
  return kBatchHeaderSize + LoadLe<std::uint32_t>(prefix.data() + internal::kPayloadSizeAt) +
         kBatchTrailerSize;
}

RecordView BatchView::Versioned(std::size_t i) const {
  const std::byte* const entry =
      bytes_.data() + kBatchHeaderSize + i * EntrySize(header_.flags, header_.row_size);
  const std::byte* const version = entry + kOpSize;
  const std::byte* const row = version + kEntryVersionSize;
  return {.op = static_cast<Op>(*entry),
          .row = {row, header_.row_size},
          .key = {row, header_.key_size},
          .origin = LoadLe<std::uint64_t>(version),
          .version = {LoadLe<std::uint64_t>(version + 8), LoadLe<std::uint64_t>(version + 16)}};
}

}  // namespace mimi
