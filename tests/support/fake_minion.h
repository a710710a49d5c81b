#ifndef MIMI_TESTS_SUPPORT_FAKE_MINION_H_
#define MIMI_TESTS_SUPPORT_FAKE_MINION_H_

// A minion whose data plane is a map, and that a test can make misbehave.
//
//   FakeMinion minion(schema, loop);
//   minion.room = 100;               // records that it still takes; then ResourceExhausted
//   minion.unavailable = true;       // Apply and Audit fail until it is warmed
//   minion.Lose();                   // … and it forgets everything, as a kernel that was rebooted
//   minion.hold = true;              // accepts, but confirms nothing until hold is false again
//   minion.Forget(key); minion.Corrupt(key, offset); minion.Plant(row);   // behind our back
//
// Threads: one.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/minion.h"

namespace mimi::testing {

inline std::string ToText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> ToSpan(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class FakeMinion final : public Minion {
 public:
  static constexpr std::size_t kUnlimited = ~std::size_t{0};

  FakeMinion(const StateSchema& schema, Loop& loop) : schema_(schema), loop_(loop) {}
  ~FakeMinion() override { *self_ = nullptr; }

  // The script.
  std::size_t room = kUnlimited;      ///< records that Apply still takes
  std::size_t capacity = kUnlimited;  ///< rows that the data plane can hold
  bool unavailable = false;
  bool healthy = true;
  bool hold = false;
  bool auditable = true;
  int warm_failures = 0;  ///< so many Warms fail first

  void Lose() {
    held_.clear();
    unavailable = true;
  }
  void Forget(std::span<const std::byte> key) { held_.erase(ToText(key)); }
  void Corrupt(std::span<const std::byte> key, std::size_t offset) {
    ++held_.at(ToText(key))[offset];
  }
  void Plant(std::span<const std::byte> row) {
    held_[ToText(row.first(schema_.key_size()))] = ToText(row);
  }

  // What it has seen.
  const std::map<std::string, std::string>& held() const { return held_; }
  std::uint64_t batches = 0;
  std::uint64_t puts = 0;
  std::uint64_t erases = 0;
  std::uint64_t warms = 0;
  const std::byte* last_batch = nullptr;  ///< where the last batch's bytes stood

  const StateSchema& schema() const override { return schema_; }
  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    if (unavailable || warms == 0) {
      return absl::UnavailableError("the data plane is gone");
    }
    if (batch.table() != schema_.table() || batch.row_size() > schema_.row_size()) {
      return absl::InvalidArgumentError("a batch of another table");
    }
    if (room < batch.size()) {
      return absl::ResourceExhaustedError("no room");
    }
    room -= room == kUnlimited ? 0 : batch.size();
    ++batches;
    last_batch = batch.bytes().data();
    for (const RecordView record : batch) {
      ApplyOne(record);
    }
    accepted_ += batch.empty() ? 1 : batch.size();
    return accepted_;
  }
  Position confirmed() const override {
    if (!hold) {
      confirmed_ = accepted_;
    }
    return confirmed_;
  }

  void Warm(StatusCallback done) override {
    Answer(std::move(done), [this] {
      if (warm_failures > 0) {
        --warm_failures;
        return absl::UnavailableError("not yet");
      }
      unavailable = false;
      ++warms;
      return absl::OkStatus();
    });
  }
  void Activate(StatusCallback done) override {
    Answer(std::move(done), [this] {
      active_ = true;
      return absl::OkStatus();
    });
  }
  void Retire(StatusCallback done) override {
    Answer(std::move(done), [this] {
      active_ = false;
      return absl::OkStatus();
    });
  }

  absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) override {
    if (!auditable) {
      return absl::UnimplementedError("nothing can be shown");
    }
    if (unavailable) {
      return absl::UnavailableError("the data plane is gone");
    }
    auto at = audit_begun_ ? held_.upper_bound(audit_at_) : held_.begin();
    audit_begun_ = true;
    for (; at != held_.end() && budget > 0; ++at, --budget) {
      audit_at_ = at->first;
      visitor.Row(ToSpan(at->second));
    }
    audit_begun_ = at != held_.end();
    return !audit_begun_;
  }

  MinionState state() const override {
    return {.healthy = healthy,
            .reason = healthy ? "" : "told so",
            .active = active_,
            .rows = held_.size(),
            .capacity = capacity == kUnlimited ? 0 : capacity,
            .refused = refused_};
  }

 private:
  void ApplyOne(const RecordView& record) {
    std::string key = ToText(record.key);
    if (record.op != Op::kPut) {
      ++erases;
      held_.erase(key);
      return;
    }
    ++puts;
    if (held_.size() >= capacity && !held_.contains(key)) {
      ++refused_;
      return;
    }
    std::string& row = held_[std::move(key)];
    if (row.empty()) {
      row = ToText(schema_.default_row());
    }
    row.replace(0, record.row.size(), ToText(record.row));
  }
  template <class Work>
  void Answer(StatusCallback done, Work work) {
    loop_.Post([self = self_, done = std::move(done), work] {
      if (*self != nullptr) {
        done(work());
      }
    });
  }

  StateSchema schema_;
  Loop& loop_;
  std::map<std::string, std::string> held_;
  std::shared_ptr<FakeMinion*> self_ = std::make_shared<FakeMinion*>(this);
  bool active_ = false;
  std::uint64_t refused_ = 0;
  Position accepted_ = 0;
  mutable Position confirmed_ = 0;
  std::string audit_at_;
  bool audit_begun_ = false;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_SUPPORT_FAKE_MINION_H_
