#include "src/store/redis/row_blob.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::string_view kMagic = "MR";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kHeaderSize = 17;
constexpr std::size_t kWriterSize = 16;
constexpr std::size_t kVersionSize = 7;
constexpr std::size_t kChecksumSize = 4;

absl::Status Refuse(std::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "a bucket of rows {}", what);
}

template <class Number>
void Append(Number value, std::size_t size, std::string* out) {
  std::array<char, 8> bytes{};
  StoreLe(bytes.data(), static_cast<std::uint64_t>(value));
  out->append(bytes.data(), size);
}

}  // namespace

void RowBlobWriter::Begin(const StateSchema& schema) {
  fingerprint_ = schema.fingerprint();
  entry_size_ = static_cast<std::uint16_t>(kind_ == RowBlobKind::kRows ? schema.row_size()
                                                                       : schema.key_size());
  count_ = 0;
  writers_.clear();
  entries_.clear();
}

void RowBlobWriter::Add(std::span<const std::byte> row_or_key, Origin origin, Version version) {
  assert(row_or_key.size() == entry_size_ && count_ < kMaxBlobEntries);
  const Writer writer = {origin, version.term};
  auto found = std::find(writers_.begin(), writers_.end(), writer);
  if (found == writers_.end()) {
    found = writers_.insert(found, writer);
  }
  Append(found - writers_.begin(), 1, &entries_);
  Append(version.sequence, 6, &entries_);
  entries_.append(AsText(row_or_key));
  ++count_;
}

std::string_view RowBlobWriter::Finish() {
  blob_.clear();
  if (count_ == 0) {
    return blob_;
  }
  blob_.append(kMagic);
  Append(kFormat, 1, &blob_);
  Append(static_cast<std::uint8_t>(kind_), 1, &blob_);
  Append(fingerprint_, 8, &blob_);
  Append(entry_size_, 2, &blob_);
  Append(count_, 2, &blob_);
  Append(writers_.size() - 1, 1, &blob_);
  for (const auto& [origin, term] : writers_) {
    Append(origin, 8, &blob_);
    Append(term, 8, &blob_);
  }
  blob_.append(entries_);
  Append(Crc32c(blob_.data(), blob_.size()), 4, &blob_);
  return blob_;
}

absl::StatusOr<RowBlobView> RowBlobView::Parse(std::string_view bytes, RowBlobKind kind) {
  if (bytes.size() < kHeaderSize + kWriterSize + kChecksumSize) {
    return Refuse("is too short");
  }
  const char* const at = bytes.data();
  if (!bytes.starts_with(kMagic) || LoadLe<std::uint8_t>(at + 2) != kFormat ||
      LoadLe<std::uint8_t>(at + 3) != static_cast<std::uint8_t>(kind)) {
    return Refuse("does not start as one");
  }
  RowBlobView view;
  view.fingerprint_ = LoadLe<std::uint64_t>(at + 4);
  view.entry_size_ = LoadLe<std::uint16_t>(at + 12);
  view.count_ = LoadLe<std::uint16_t>(at + 14);
  const std::size_t writers = std::size_t{LoadLe<std::uint8_t>(at + 16)} + 1;
  if (view.entry_size_ == 0 || view.entry_size_ > kMaxRowSize || view.count_ == 0 ||
      view.count_ > kMaxBlobEntries) {
    return Refuse("has impossible counts");
  }
  const std::size_t covered =
      kHeaderSize + writers * kWriterSize + view.count_ * (kVersionSize + view.entry_size_);
  if (bytes.size() != covered + kChecksumSize) {
    return Refuse("has another size than it says");
  }
  if (LoadLe<std::uint32_t>(at + covered) != Crc32c(at, covered)) {
    return Refuse("has a wrong checksum");
  }
  view.writers_ = AsBytes(bytes).data() + kHeaderSize;
  view.entries_ = view.writers_ + writers * kWriterSize;
  for (std::size_t i = 0; i < view.count_; ++i) {
    const std::byte* const entry = view.entries_ + i * (kVersionSize + view.entry_size_);
    if (std::to_integer<std::size_t>(entry[0]) >= writers) {
      return Refuse("names a writer that it does not list");
    }
  }
  return view;
}

RowBlobView::Entry RowBlobView::operator[](std::size_t i) const {
  const std::byte* const entry = entries_ + i * (kVersionSize + entry_size_);
  const std::byte* const writer = writers_ + std::to_integer<std::size_t>(entry[0]) * kWriterSize;
  const std::uint64_t sequence =
      LoadLe<std::uint32_t>(entry + 1) | (std::uint64_t{LoadLe<std::uint16_t>(entry + 5)} << 32);
  return {.bytes = {entry + kVersionSize, entry_size_},
          .origin = LoadLe<std::uint64_t>(writer),
          .version = {LoadLe<std::uint64_t>(writer + 8), sequence}};
}

}  // namespace mimi::internal
