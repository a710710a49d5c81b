#include "src/engine/ager.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/bytes.h"

namespace mimi::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const MonotonicTime kStart{std::chrono::hours(1)};

StateSchema Schema() {
  return *StateSchema::Builder("test.flow", 1)
              .Key("id", FieldType::kU32)
              .Value("mark", FieldType::kU8)
              .Value("idle_timeout", FieldType::kDuration)
              .Build();
}

std::vector<std::byte> Row(std::uint32_t id, Duration life) {
  std::vector<std::byte> row(13);
  StoreLe(row.data(), id);
  StoreLe(row.data() + 5, static_cast<std::uint64_t>(life.count()));
  return row;
}

std::vector<std::uint32_t> Expired(Ager& ager, MonotonicTime now, std::size_t budget = 1000) {
  std::vector<std::uint32_t> ids;
  ager.Expire(now, budget, [&ids](std::span<const std::byte> key) {
    REQUIRE(key.size() == 4);
    ids.push_back(LoadLe<std::uint32_t>(key.data()));
  });
  return ids;
}

TEST_CASE("ager: a row goes when its duration has passed since its last Put, not before") {
  Ager ager = *Ager::For(Schema(), "idle_timeout");
  ager.Put(Row(1, seconds(10)), kStart);
  CHECK(Expired(ager, kStart + seconds(10)).empty());
  ager.Put(Row(1, seconds(10)), kStart + seconds(9));
  CHECK(Expired(ager, kStart + seconds(12)).empty());
  CHECK(Expired(ager, kStart + seconds(21)) == std::vector<std::uint32_t>{1});
  CHECK(ager.rows() == 0);
  CHECK(Expired(ager, kStart + seconds(100)).empty());
}

TEST_CASE("ager: a shorter life given later counts") {
  Ager ager = *Ager::For(Schema(), "idle_timeout");
  ager.Put(Row(1, seconds(100)), kStart);
  ager.Put(Row(1, seconds(2)), kStart + seconds(1));
  CHECK(Expired(ager, kStart + seconds(5)) == std::vector<std::uint32_t>{1});
  CHECK(Expired(ager, kStart + seconds(200)).empty());
}

TEST_CASE("ager: an erased row and one without a duration never expire") {
  Ager ager = *Ager::For(Schema(), "idle_timeout");
  ager.Put(Row(1, seconds(1)), kStart);
  ager.Put(Row(2, seconds(0)), kStart);
  ager.Put(Row(3, seconds(-5)), kStart);
  const auto key = Row(1, seconds(0));
  ager.Erase(std::span(key).first(4));
  CHECK(Expired(ager, kStart + seconds(100)).empty());
}

TEST_CASE("ager: a budget cuts the work, and nothing is forgotten") {
  Ager ager = *Ager::For(Schema(), "idle_timeout");
  for (std::uint32_t id = 0; id < 100; ++id) {
    ager.Put(Row(id, milliseconds(500)), kStart);
  }
  std::size_t seen = 0;
  for (int slice = 0; slice < 100 && seen < 100; ++slice) {
    const std::size_t now_seen = Expired(ager, kStart + seconds(3), 7).size();
    CHECK(now_seen <= 7);
    seen += now_seen;
  }
  CHECK(seen == 100);
}

TEST_CASE("ager: rows that come and go do not pile up") {
  Ager ager = *Ager::For(Schema(), "idle_timeout");
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const auto row = Row(i % 10, seconds(3600));
    ager.Put(row, kStart + milliseconds(i));
    ager.Erase(std::span(row).first(4));
  }
  CHECK(ager.rows() == 0);
  CHECK(ager.copies() <= 4096 + 1);
}

TEST_CASE("ager: a table without that duration field cannot age") {
  CHECK_FALSE(Ager::For(Schema(), "timeout").has_value());
  CHECK_FALSE(Ager::For(Schema(), "mark").has_value());
}

}  // namespace
}  // namespace mimi::internal
