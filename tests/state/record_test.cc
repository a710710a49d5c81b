#include "mimi/record.h"

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/base/status.h"
#include "src/state/row.h"

namespace mimi {
namespace {

StateSchema LbFlow() {
  return *StateSchema::Builder("lb.flow", 1)
              .Key("client_ip", FieldType::kIpv4)
              .Key("client_port", FieldType::kPort)
              .Value("backend_ip", FieldType::kIpv4)
              .Build();
}

std::vector<std::byte> Row(std::string_view text) {
  const auto bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

constexpr UnixTime kTime{Duration{1'700'000'000'000'000'000}};

TEST_CASE("batch: what is sealed is read back, record by record") {
  const StateSchema schema = LbFlow();
  BatchBuilder builder(schema, OriginOf("edge1"));
  REQUIRE(builder.Put(Row("abcdefWXYZ")));
  REQUIRE(builder.Erase(Row("ghijkl")));
  const BatchView sealed = builder.Seal(7, 41, kTime);

  const absl::StatusOr<BatchView> batch = BatchView::Parse(sealed.bytes());
  REQUIRE_MESSAGE(batch.ok(), batch.status().ToString());
  CHECK(batch->table() == TableIdOf("lb.flow"));
  CHECK(batch->fingerprint() == schema.fingerprint());
  CHECK(batch->origin() == OriginOf("edge1"));
  CHECK(batch->term() == 7);
  CHECK(batch->first_sequence() == 41);
  CHECK(batch->time() == kTime);
  CHECK(batch->row_size() == 10);
  CHECK(batch->key_size() == 6);
  REQUIRE(batch->size() == 2);

  const RecordView put = (*batch)[0];
  CHECK(put.op == Op::kPut);
  CHECK(AsText(put.row) == "abcdefWXYZ");
  CHECK(AsText(put.key) == "abcdef");
  CHECK(put.version == Version{7, 41});
  const RecordView erase = (*batch)[1];
  CHECK(erase.op == Op::kErase);
  CHECK(AsText(erase.key) == "ghijkl");
  CHECK(AsText(erase.row.subspan(6)) == std::string(4, '\0'));
  CHECK(erase.version == Version{7, 42});
}

TEST_CASE("batch: every truncation and every changed byte is refused") {
  const StateSchema schema = LbFlow();
  BatchBuilder builder(schema, OriginOf("edge1"));
  REQUIRE(builder.Put(Row("abcdefWXYZ")));
  REQUIRE(builder.Erase(Row("ghijkl")));
  const BatchView sealed = builder.Seal(7, 41, kTime);
  std::vector<std::byte> bytes(sealed.bytes().begin(), sealed.bytes().end());
  BatchView view;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(BatchView::TryParse(std::span(bytes).first(size), &view) != BatchRefusal::kNone);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte was = bytes[i];
    for (unsigned value = 0; value < 256; ++value) {
      bytes[i] = static_cast<std::byte>(value);
      if (bytes[i] != was && BatchView::TryParse(bytes, &view) == BatchRefusal::kNone) {
        FAIL_CHECK("byte " << i << " as " << value << " is accepted");
      }
    }
    bytes[i] = was;
  }
  CHECK(BatchView::TryParse(bytes, &view) == BatchRefusal::kNone);
}

std::vector<std::byte> SealedPair() {
  BatchBuilder builder(LbFlow(), OriginOf("edge1"));
  REQUIRE(builder.Put(Row("abcdefWXYZ")));
  REQUIRE(builder.Erase(Row("ghijkl")));
  const auto bytes = builder.Seal(7, 41, kTime).bytes();
  return {bytes.begin(), bytes.end()};
}

// As a writer with a fault would send it: the checksum is right.
BatchRefusal RefusalOf(std::vector<std::byte> bytes) {
  const std::size_t covered = bytes.size() - kBatchTrailerSize;
  StoreLe(bytes.data() + covered, Crc32c(bytes.data(), covered));
  BatchView view;
  const BatchRefusal refusal = BatchView::TryParse(bytes, &view);
  const absl::StatusOr<BatchView> batch = BatchView::Parse(bytes);
  CHECK(batch.ok() == (refusal == BatchRefusal::kNone));
  if (!batch.ok()) {
    CHECK(batch.status().code() == absl::StatusCode::kDataLoss);
    CHECK(Message(batch.status()).find(BatchRefusalName(refusal)) != std::string_view::npos);
  }
  return refusal;
}

template <class U>
BatchRefusal RefusalWith(std::size_t offset, U value) {
  std::vector<std::byte> bytes = SealedPair();
  StoreLe(bytes.data() + offset, value);
  return RefusalOf(std::move(bytes));
}

TEST_CASE("batch: each lie has its name") {
  CHECK(RefusalOf(SealedPair()) == BatchRefusal::kNone);
  CHECK(RefusalWith(0, std::uint32_t{0}) == BatchRefusal::kBadMagic);
  CHECK(RefusalWith(4, std::uint8_t{2}) == BatchRefusal::kUnknownFormat);
  CHECK(RefusalWith(5, std::uint8_t{80}) == BatchRefusal::kBadHeaderSize);
  CHECK(RefusalWith(6, std::uint16_t{16}) == BatchRefusal::kUnknownFlags);
  CHECK(RefusalWith(68, std::uint32_t{1}) == BatchRefusal::kUnknownFlags);
  CHECK(RefusalWith(62, std::uint16_t{0}) == BatchRefusal::kBadSizes);
  CHECK(RefusalWith(62, std::uint16_t{11}) == BatchRefusal::kBadSizes);
  CHECK(RefusalWith(60, std::uint16_t{4097}) == BatchRefusal::kBadSizes);
  CHECK(RefusalWith(56, std::uint32_t{3}) == BatchRefusal::kBadCount);
  CHECK(RefusalWith(56, ~std::uint32_t{0}) == BatchRefusal::kBadCount);
  CHECK(RefusalWith(60, std::uint16_t{11}) == BatchRefusal::kBadCount);
  CHECK(RefusalWith(40, ~std::uint64_t{0}) == BatchRefusal::kBadCount);
  CHECK(RefusalWith(6, std::uint16_t{kBatchHeartbeat}) == BatchRefusal::kBadCount);
  CHECK(RefusalWith(6, std::uint16_t{kBatchVersioned}) == BatchRefusal::kBadCount);
  CHECK(RefusalWith(64, ~std::uint32_t{0}) == BatchRefusal::kTooLarge);
  CHECK(RefusalWith(72, std::uint8_t{0}) == BatchRefusal::kBadOp);
  CHECK(RefusalWith(72, std::uint8_t{3}) ==
        BatchRefusal::kBadOp);  // abrupt erases are never sealed
  std::vector<std::byte> longer = SealedPair();
  longer.push_back(std::byte{0});
  CHECK(RefusalOf(longer) == BatchRefusal::kTooLarge);
  std::vector<std::byte> damaged = SealedPair();
  damaged[80] ^= std::byte{1};
  BatchView view;
  CHECK(BatchView::TryParse(damaged, &view) == BatchRefusal::kBadChecksum);
}

TEST_CASE("batch: a stream's reader learns the size from the header") {
  const std::vector<std::byte> bytes = SealedPair();
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const absl::StatusOr<std::size_t> said = BatchView::SizeOf(std::span(bytes).first(size));
    REQUIRE(said.ok());
    CHECK(*said == (size < kBatchHeaderSize ? 0 : bytes.size()));
  }
  std::vector<std::byte> other = bytes;
  other[0] = std::byte{0};
  CHECK(BatchView::SizeOf(other).status().code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("batch: a heartbeat has no records and tells the next sequence") {
  BatchBuilder builder(LbFlow(), OriginOf("edge1"));
  builder.set_flags(kBatchHeartbeat);
  const std::vector<std::byte> bytes = [&] {
    const auto sealed = builder.Seal(7, 43, kTime).bytes();
    return std::vector(sealed.begin(), sealed.end());
  }();
  const absl::StatusOr<BatchView> batch = BatchView::Parse(bytes);
  REQUIRE_MESSAGE(batch.ok(), batch.status().ToString());
  CHECK(batch->has(kBatchHeartbeat));
  CHECK(batch->empty());
  CHECK(batch->first_sequence() == 43);
  CHECK(batch->begin() == batch->end());
}

TEST_CASE("batch: versioned entries keep their own origin and version") {
  const StateSchema schema = LbFlow();
  const std::vector<std::byte> row = Row("abcdefWXYZ");
  BatchBuilder builder(schema, 0);
  builder.set_flags(kBatchResyncEnd);
  REQUIRE(builder.AppendVersioned(
      {.op = Op::kPut, .row = row, .key = {}, .origin = 5, .version = {6, 7}}));
  REQUIRE(builder.AppendVersioned({.op = Op::kErase,
                                   .row = {},
                                   .key = std::span(row).first(6),
                                   .origin = 8,
                                   .version = {9, 10}}));
  const BatchView batch = builder.Seal(1, 1, kTime);
  BatchView view;
  REQUIRE(BatchView::TryParse(batch.bytes(), &view) == BatchRefusal::kNone);
  CHECK(view.flags() == (kBatchResyncEnd | kBatchVersioned));
  CHECK(view[0].origin == 5);
  CHECK(view[0].version == Version{6, 7});
  CHECK(AsText(view[0].row) == "abcdefWXYZ");
  CHECK(view[1].op == Op::kErase);
  CHECK(view[1].version == Version{9, 10});
  CHECK(AsText(view[1].key) == "abcdef");
}

TEST_CASE("batch: a builder fills up to its capacity, and starts anew after Clear") {
  const StateSchema schema = LbFlow();
  BatchBuilder builder(schema, 1, 200);
  std::size_t taken = 0;
  while (builder.Put(Row("abcdefWXYZ"))) {
    ++taken;
  }
  CHECK(taken == (200 - 76) / 11);
  CHECK(builder.full());
  CHECK(builder.size() == taken);
  CHECK_FALSE(builder.Erase(Row("abcdef")));
  CHECK(builder.Seal(1, 1, kTime).bytes().size() <= 200);
  builder.Clear();
  CHECK(builder.empty());
  CHECK(builder.Seal(1, 1, kTime).bytes().size() == 76);
  // The greatest allowed, and one that is too small for anything, which still takes one entry.
  BatchBuilder large(schema, 1, std::size_t{1} << 30);
  while (large.Put(Row("abcdefWXYZ"))) {}
  CHECK(large.Seal(1, 1, kTime).bytes().size() <= kMaxBatchSize);
  BatchView view;
  CHECK(BatchView::TryParse(large.Seal(1, 1, kTime).bytes(), &view) == BatchRefusal::kNone);
  BatchBuilder small(schema, 1, 0);
  CHECK(small.Put(Row("abcdefWXYZ")));
}

TEST_CASE("batch: a draft can be walked but not parsed, and may hold abrupt erases") {
  const StateSchema schema = LbFlow();
  BatchBuilder builder(schema, 5);
  REQUIRE(
      builder.Append(Row("\x01"
                         "abcdefWXYZ")));
  REQUIRE(builder.Erase(Row("ghijkl"), Op::kEraseAbrupt));
  const BatchView draft = builder.Draft();
  REQUIRE(draft.size() == 2);
  CHECK(draft.origin() == 5);
  CHECK(draft.term() == 0);
  CHECK(draft[0].op == Op::kPut);
  CHECK(AsText(draft[0].row) == "abcdefWXYZ");
  CHECK(draft[1].op == Op::kEraseAbrupt);
  CHECK_FALSE(BatchView::Parse(draft.bytes()).ok());
}

TEST_CASE("record: versions are ordered by term, then by sequence") {
  CHECK(Version{1, 9} < Version{2, 1});
  CHECK(Version{2, 1} < Version{2, 2});
  CHECK(OriginOf("edge1") != OriginOf("edge2"));
  CHECK(OriginOf("") != 0);
}

}  // namespace
}  // namespace mimi
