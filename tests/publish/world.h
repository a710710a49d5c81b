#ifndef MIMI_TESTS_PUBLISH_WORLD_H_
#define MIMI_TESTS_PUBLISH_WORLD_H_

// What the pump's tests stand in: a clock that they turn, a sink that fails as they like, and an
// owner that sweeps.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/record.h"
#include "mimi/schema.h"
#include "mimi/sink.h"

#include "src/publish/pump.h"

namespace mimi::testing {

using namespace std::chrono_literals;  // NOLINT

inline const StateSchema& TestSchema() {
  static const StateSchema schema = *StateSchema::Builder("test.rows", 1)
                                         .Key("id", FieldType::kU32)
                                         .Value("value", FieldType::kU64)
                                         .Build();
  return schema;
}

inline std::array<std::byte, 12> Row(std::uint32_t id, std::uint64_t value) {
  std::array<std::byte, 12> row;
  std::memcpy(row.data(), &id, 4);
  std::memcpy(row.data() + 4, &value, 8);
  return row;
}
inline std::array<std::byte, 4> Key(std::uint32_t id) {
  std::array<std::byte, 4> key;
  std::memcpy(key.data(), &id, 4);
  return key;
}

class FakeClock final : public Clock {
 public:
  MonotonicTime now() const override { return now_; }
  UnixTime unix_now() const override { return UnixTime(now_.time_since_epoch() + 1000000h / 2); }
  void Advance(Duration by) { now_ += by; }

 private:
  MonotonicTime now_{1h};
};

// A store as small as can be: keeps the contract of sink.h, and checks that its caller does.
class FakeSink final : public StateSink {
 public:
  enum class Mode { kAccept, kExhausted, kUnavailable, kAborted, kGap };
  struct Stored {
    std::uint64_t value = 0;
    Version version;
    friend bool operator==(const Stored&, const Stored&) = default;
  };

  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    ++offered;
    switch (mode) {
      case Mode::kAccept:
        break;
      case Mode::kExhausted:
        return absl::ResourceExhaustedError("full");
      case Mode::kUnavailable:
        accepted_.clear();  // what was not confirmed is lost
        next_ = confirmed_next_;
        return absl::UnavailableError("away");
      case Mode::kAborted:
        return absl::AbortedError("a newer term");
      case Mode::kGap:
        return absl::FailedPreconditionError("a gap");
    }
    std::vector<std::byte> bytes(batch.bytes().begin(), batch.bytes().end());
    if (!BatchView::Parse(bytes).ok()) {
      return absl::DataLossError("not a sealed batch");
    }
    if (const absl::Status gap = Continue(batch); !gap.ok()) {
      return gap;
    }
    accepted_.push_back({std::move(bytes), ++head_});
    if (confirm_at_once) {
      ConfirmAll();
    }
    return head_;
  }
  Position confirmed() const override { return confirmed_; }

  // Confirms the oldest `count` batches.
  void Confirm(std::size_t count) {
    for (; count > 0 && !accepted_.empty(); --count) {
      const BatchView batch = *BatchView::Parse(accepted_.front().bytes);
      Install(batch);
      confirmed_ = accepted_.front().position;
      confirmed_next_[batch.term()] = batch.first_sequence() + batch.size();
      accepted_.pop_front();
    }
  }
  void ConfirmAll() { Confirm(accepted_.size()); }

  std::map<std::uint32_t, std::uint64_t> Values() const {
    std::map<std::uint32_t, std::uint64_t> values;
    for (const auto& [id, row] : rows) {
      values[id] = row.value;
    }
    return values;
  }

  Mode mode = Mode::kAccept;
  bool confirm_at_once = true;
  std::size_t offered = 0;
  std::size_t gaps = 0;
  std::map<std::uint32_t, Stored> rows;
  std::map<std::uint32_t, Version> erased;
  std::vector<std::uint16_t> flags;  // of all batches installed
  std::vector<UnixTime> times;
  std::vector<std::size_t> sizes;

 private:
  struct Accepted {
    std::vector<std::byte> bytes;
    Position position;
  };

  absl::Status Continue(const BatchView& batch) {
    const auto known = next_.find(batch.term());
    const std::uint64_t expected = known == next_.end() ? 1 : known->second;
    if (batch.first_sequence() > expected) {
      ++gaps;
      return absl::FailedPreconditionError("a gap");
    }
    next_[batch.term()] = std::max(expected, batch.first_sequence() + batch.size());
    return absl::OkStatus();
  }

  void Install(const BatchView& batch) {
    flags.push_back(batch.flags());
    times.push_back(batch.time());
    sizes.push_back(batch.size());
    for (const RecordView record : batch) {
      std::uint32_t id;
      std::memcpy(&id, record.key.data(), 4);
      const auto row = rows.find(id);
      const auto tombstone = erased.find(id);
      if ((row != rows.end() && row->second.version >= record.version) ||
          (tombstone != erased.end() && tombstone->second >= record.version)) {
        continue;
      }
      if (record.op == Op::kPut) {
        Stored stored{.value = 0, .version = record.version};
        std::memcpy(&stored.value, record.row.data() + 4, 8);
        rows[id] = stored;
        erased.erase(id);
      } else {
        rows.erase(id);
        erased[id] = record.version;
      }
    }
  }

  std::deque<Accepted> accepted_;
  std::map<std::uint64_t, std::uint64_t> next_, confirmed_next_;  // by term
  Position head_ = 0;
  Position confirmed_ = 0;
};

// A pump with all that it needs. Its owner sweeps by what the sink has stored.
struct World : PumpOwner {
  explicit World(PublisherOptions given = {}) : options(given) {
    options.seed = 1;
    pump = *Pump::New(TestSchema(), OriginOf("node"), sink, clock, *this, options);
  }

  void OnStopped(const absl::Status& why) override { stopped.push_back(why); }
  void OnResyncWanted() override { ++wanted; }
  void OnResyncWalked(Version begin) override { walked.push_back(begin); }

  void Tick(Duration by = 200us) {
    clock.Advance(by);
    pump->Tick(clock.now());
    if (pump->sweeping() && sweep) {
      for (const auto& [id, row] : sink.rows) {
        if (row.version < walked.back() && !pump->SweepErase(Key(id))) {
          return;
        }
      }
      pump->FinishResync();
    }
  }
  // Until nothing is left to do, or `limit` ticks.
  void Settle(int limit = 1000) {
    for (int i = 0; i < limit; ++i) {
      Tick();
      if (pump->drained() && !pump->stats().resyncing) {
        return;
      }
    }
  }

  absl::Status Offer(std::vector<std::pair<std::uint32_t, std::uint64_t>> puts,
                     std::uint16_t flags = 0) {
    BatchBuilder builder(TestSchema(), 0);
    for (const auto& [id, value] : puts) {
      builder.Put(Row(id, value));
    }
    builder.set_flags(flags);
    return pump->Offer(builder.Draft());
  }
  absl::Status OfferErase(std::uint32_t id, Op op = Op::kErase) {
    BatchBuilder builder(TestSchema(), 0);
    builder.Erase(Key(id), op);
    return pump->Offer(builder.Draft());
  }

  FakeClock clock;
  FakeSink sink;
  PublisherOptions options;
  bool sweep = true;
  int wanted = 0;
  std::vector<absl::Status> stopped;
  std::vector<Version> walked;
  std::unique_ptr<Pump> pump;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_PUBLISH_WORLD_H_
