#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "mimi/record.h"

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/state/batch_layout.h"

namespace mimi {

using internal::kEntryVersionSize;
using internal::kOpSize;

namespace {

// Copies `from` and fills up with zeros. A caller that breaks the size's REQUIRES damages its own
// record, never memory.
void CopyPadded(std::byte* to, std::size_t size, std::span<const std::byte> from) {
  const std::size_t copied = std::min(size, from.size());
  std::memcpy(to, from.data(), copied);
  std::memset(to + copied, 0, size - copied);
}

}  // namespace

BatchBuilder::BatchBuilder(const StateSchema& schema, Origin origin, std::size_t capacity)
    : table_(schema.table()),
      fingerprint_(schema.fingerprint()),
      origin_(origin),
      row_size_(static_cast<std::uint16_t>(schema.row_size())),
      key_size_(static_cast<std::uint16_t>(schema.key_size())) {
  const std::size_t one_entry =
      kBatchHeaderSize + kOpSize + kEntryVersionSize + row_size_ + kBatchTrailerSize;
  capacity_ = std::clamp(capacity, one_entry, kMaxBatchSize);
  buffer_.resize(capacity_);
}

bool BatchBuilder::Fits(std::size_t entry_size) const {
  return capacity_ - size_ >= entry_size + kBatchTrailerSize;
}

bool BatchBuilder::full() const {
  return !Fits(kOpSize + row_size_ + ((flags_ & kBatchVersioned) != 0 ? kEntryVersionSize : 0));
}

std::byte* BatchBuilder::Extend(std::size_t entry_size) {
  std::byte* const entry = buffer_.data() + size_;
  size_ += entry_size;
  ++count_;
  return entry;
}

bool BatchBuilder::Put(std::span<const std::byte> row) {
  assert(row.size() == row_size_ && (flags_ & kBatchVersioned) == 0);
  const std::size_t entry_size = kOpSize + row_size_;
  if (!Fits(entry_size)) {
    return false;
  }
  std::byte* const entry = Extend(entry_size);
  entry[0] = static_cast<std::byte>(Op::kPut);
  CopyPadded(entry + kOpSize, row_size_, row);
  return true;
}

bool BatchBuilder::Erase(std::span<const std::byte> key, Op op) {
  assert(key.size() == key_size_ && op != Op::kPut && (flags_ & kBatchVersioned) == 0);
  const std::size_t entry_size = kOpSize + row_size_;
  if (!Fits(entry_size)) {
    return false;
  }
  std::byte* const entry = Extend(entry_size);
  entry[0] = static_cast<std::byte>(op);
  CopyPadded(entry + kOpSize, row_size_, key.first(std::min<std::size_t>(key.size(), key_size_)));
  return true;
}

bool BatchBuilder::Append(std::span<const std::byte> op_and_row) {
  const std::size_t entry_size = kOpSize + row_size_;
  assert(op_and_row.size() == entry_size && (flags_ & kBatchVersioned) == 0);
  if (!Fits(entry_size)) {
    return false;
  }
  CopyPadded(Extend(entry_size), entry_size, op_and_row);
  return true;
}

bool BatchBuilder::AppendVersioned(const RecordView& record) {
  assert(count_ == 0 || (flags_ & kBatchVersioned) != 0);
  const std::size_t entry_size = kOpSize + kEntryVersionSize + row_size_;
  if (!Fits(entry_size)) {
    return false;
  }
  flags_ = static_cast<std::uint16_t>(flags_ | kBatchVersioned);
  std::byte* const entry = Extend(entry_size);
  entry[0] = static_cast<std::byte>(record.op);
  StoreLe(entry + kOpSize, record.origin);
  StoreLe(entry + kOpSize + 8, record.version.term);
  StoreLe(entry + kOpSize + 16, record.version.sequence);
  CopyPadded(entry + kOpSize + kEntryVersionSize, row_size_,
             record.op == Op::kPut ? record.row : record.key);
  return true;
}

BatchView::Header BatchBuilder::MakeHeader(std::uint64_t term, std::uint64_t first_sequence,
                                           std::int64_t time_ns) const {
  return {.table = table_,
          .fingerprint = fingerprint_,
          .origin = origin_,
          .term = term,
          .first_sequence = first_sequence,
          .time_ns = time_ns,
          .count = count_,
          .row_size = row_size_,
          .key_size = key_size_,
          .flags = flags_};
}

void BatchBuilder::WriteHeader(const BatchView::Header& header) {
  std::byte* const to = buffer_.data();
  StoreLe(to + internal::kMagicAt, internal::kBatchMagic);
  StoreLe(to + internal::kFormatAt, internal::kBatchFormat);
  StoreLe(to + internal::kHeaderSizeAt, static_cast<std::uint8_t>(kBatchHeaderSize));
  StoreLe(to + internal::kFlagsAt, header.flags);
  StoreLe(to + internal::kTableAt, header.table);
  StoreLe(to + internal::kFingerprintAt, header.fingerprint);
  StoreLe(to + internal::kOriginAt, header.origin);
  StoreLe(to + internal::kTermAt, header.term);
  StoreLe(to + internal::kFirstSequenceAt, header.first_sequence);
  StoreLe(to + internal::kTimeAt, static_cast<std::uint64_t>(header.time_ns));
  StoreLe(to + internal::kCountAt, header.count);
  StoreLe(to + internal::kRowSizeAt, header.row_size);
  StoreLe(to + internal::kKeySizeAt, header.key_size);
  StoreLe(to + internal::kPayloadSizeAt, static_cast<std::uint32_t>(size_ - kBatchHeaderSize));
  StoreLe(to + internal::kZeroAt, std::uint32_t{0});
}

BatchView BatchBuilder::Draft() {
  BatchView view;
  view.header_ = MakeHeader(/*term=*/0, /*first_sequence=*/0, /*time_ns=*/0);
  WriteHeader(view.header_);
  view.bytes_ = std::span(buffer_).first(size_);
  return view;
}

BatchView BatchBuilder::Seal(std::uint64_t term, std::uint64_t first_sequence, UnixTime time) {
  BatchView view;
  view.header_ = MakeHeader(term, first_sequence, time.time_since_epoch().count());
  WriteHeader(view.header_);
  StoreLe(buffer_.data() + size_, Crc32c(buffer_.data(), size_));
  view.bytes_ = std::span(buffer_).first(size_ + kBatchTrailerSize);
  return view;
}

void BatchBuilder::Clear() {
  size_ = kBatchHeaderSize;
  count_ = 0;
  flags_ = 0;
}

}  // namespace mimi
