#ifndef MIMI_CONTRACT_MINION_UNDER_TEST_H_
#define MIMI_CONTRACT_MINION_UNDER_TEST_H_

/// \file
/// What the contract suite of minions (minion_contract.h) needs to know of the minion that it
/// checks, and the small tools that its checks share.
///
/// Threads: one. Lifetime: everything made here ends before the MinionUnderTest.

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/loop.h"
#include "mimi/minion.h"
#include "mimi/record.h"

namespace mimi::contract {

/// One minion with an empty data plane.
class MinionUnderTest {
 public:
  virtual ~MinionUnderTest() = default;

  virtual Loop& loop() = 0;
  virtual Minion& minion() = 0;

  /// A legal row: `id` tells keys apart, `generation` values. The default fills every field of the
  /// schema with what follows from the two; a data plane that takes only some values (addresses of
  /// its own networks, known states) makes its own.
  virtual std::vector<std::byte> Row(std::uint32_t id, std::uint32_t generation);

  /// Rows that the data plane holds at most, if a test can fill it. nullopt: cannot.
  virtual std::optional<std::size_t> capacity() { return std::nullopt; }

  /// Lets time pass on a loop with a virtual clock.
  virtual void Advance(Duration) {}
};

using MinionFactory = std::function<std::unique_ptr<MinionUnderTest>()>;

// ---- What the checks share. Not for others. ----

inline void FillField(const Field& field, std::uint32_t number, std::span<std::byte> row) {
  const std::span<std::byte> out = row.subspan(field.offset, field.size);
  if (field.type == FieldType::kBool) {
    out[0] = static_cast<std::byte>(number & 1U);
  } else if (field.type == FieldType::kEnum) {
    out[0] = static_cast<std::byte>(field.values[number % field.values.size()].value);
  } else if (field.type == FieldType::kText) {
    for (std::size_t i = 0; i < out.size() && i < 8; ++i) {
      out[i] = static_cast<std::byte>('a' + (number >> (4 * i) & 0xfU));
    }
  } else {
    for (std::size_t i = 0; i < out.size() && i < sizeof(number); ++i) {
      out[i] = static_cast<std::byte>(number >> (8 * i));
    }
  }
}

inline std::vector<std::byte> MinionUnderTest::Row(std::uint32_t id, std::uint32_t generation) {
  const StateSchema& schema = minion().schema();
  const auto fallback = schema.default_row();
  std::vector<std::byte> row(fallback.begin(), fallback.end());
  for (const Field& field : schema.fields()) {
    FillField(field, field.key ? id : generation, row);
  }
  return row;
}

/// A minion with the loop turned by hand: every call returns when its answer is there.
class MinionBench {
 public:
  using Rows = std::map<std::string, std::string>;  // by key; soft fields as zeros

  explicit MinionBench(const MinionFactory& factory)
      : under_test(factory()),
        minion(under_test->minion()),
        builder_(minion.schema(), OriginOf("contract")) {
    DOCTEST_REQUIRE(Do(&Minion::Warm).ok());
  }

  /// Turns the loop until `done`, for ten seconds of the real clock at most.
  bool Until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      if (under_test->loop().RunOnce()) {
        continue;
      }
      if (const int fd = under_test->loop().PollFd(); fd >= 0) {
        pollfd readable = {fd, POLLIN, 0};
        poll(&readable, 1, 1);
      } else {
        under_test->Advance(std::chrono::milliseconds(1));
      }
    }
    return true;
  }

  /// Warm, Activate or Retire.
  absl::Status Do(void (Minion::*move)(Minion::StatusCallback)) {
    std::optional<absl::Status> answer;
    (minion.*move)([&answer](const absl::Status& status) { answer = status; });
    DOCTEST_CHECK_MESSAGE(!answer.has_value(), "answered inside the call");
    DOCTEST_REQUIRE(Until([&answer] { return answer.has_value(); }));
    return *answer;
  }

  MinionBench& Put(std::uint32_t id, std::uint32_t generation) {
    DOCTEST_REQUIRE(builder_.Put(under_test->Row(id, generation)));
    return *this;
  }
  MinionBench& Erase(std::uint32_t id) {
    DOCTEST_REQUIRE(builder_.Erase(KeyOf(under_test->Row(id, 0))));
    return *this;
  }
  /// What was put since the last; valid until the next Seal.
  BatchView Seal() {
    const BatchView sealed =
        builder_.Seal(1, sequence_, UnixTime(Duration(1'700'000'000'000'000'000)));
    bytes_.assign(sealed.bytes().begin(), sealed.bytes().end());
    sequence_ += sealed.size();
    builder_.Clear();
    return *BatchView::Parse(bytes_);
  }

  /// Applies, offering again while the minion is full, and waits for confirmation.
  absl::Status Apply(const BatchView& batch) {
    absl::StatusOr<Position> position = minion.Apply(batch);
    Until([&] {
      if (position.status().code() == absl::StatusCode::kResourceExhausted) {
        position = minion.Apply(batch);
        return false;
      }
      return true;
    });
    if (!position.ok()) {
      return position.status();
    }
    DOCTEST_REQUIRE(Until([&] { return minion.confirmed() >= *position; }));
    return absl::OkStatus();
  }

  std::vector<std::byte> KeyOf(std::span<const std::byte> row) const {
    return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(minion.schema().key_size())};
  }
  /// A row as audits compare it.
  std::string Visible(std::span<const std::byte> row) const {
    std::string text(reinterpret_cast<const char*>(row.data()), row.size());
    for (const Field& field : minion.schema().fields()) {
      if (field.soft) {
        text.replace(field.offset, field.size, field.size, '\0');
      }
    }
    return text;
  }
  void Expect(Rows& rows, std::uint32_t id, std::uint32_t generation) {
    const std::vector<std::byte> row = under_test->Row(id, generation);
    rows[Visible(row).substr(0, minion.schema().key_size())] = Visible(row);
  }

  struct Shown : AuditVisitor {
    explicit Shown(const MinionBench& the_bench) : bench(the_bench) {}
    void Row(std::span<const std::byte> row) override {
      DOCTEST_REQUIRE(row.size() == bench.minion.schema().row_size());
      const std::string text = bench.Visible(row);
      rows[text.substr(0, bench.minion.schema().key_size())] = text;
      ++count;
    }
    void Finding(std::string_view kind, std::string_view detail) override {
      DOCTEST_FAIL_CHECK("a finding in a data plane that is ours alone: "
                         << std::string(kind) << ": " << std::string(detail));
    }
    const MinionBench& bench;
    Rows rows;
    std::size_t count = 0;
  };
  /// Everything that the data plane holds; nullopt: it cannot be shown.
  std::optional<Rows> Audit(std::size_t budget = 1000) {
    Shown shown(*this);
    for (bool ended = false; !ended;) {
      const absl::StatusOr<bool> slice = minion.Audit(shown, budget);
      if (slice.status().code() == absl::StatusCode::kUnimplemented) {
        DOCTEST_MESSAGE("left out: this minion cannot show what it holds");
        return std::nullopt;
      }
      DOCTEST_REQUIRE_MESSAGE(slice.ok(), slice.status().ToString());
      ended = *slice;
      under_test->loop().RunOnce();
    }
    DOCTEST_CHECK_MESSAGE(shown.count == shown.rows.size(), "a row was shown twice in one pass");
    return shown.rows;
  }
  void CheckHolds(const Rows& expected) {
    if (const std::optional<Rows> held = Audit(); held.has_value()) {
      DOCTEST_CHECK(held->size() == expected.size());
      DOCTEST_CHECK(*held == expected);
    }
  }

  std::unique_ptr<MinionUnderTest> under_test;
  Minion& minion;

 private:
  BatchBuilder builder_;
  std::uint64_t sequence_ = 1;
  std::vector<std::byte> bytes_;
};

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_MINION_UNDER_TEST_H_
