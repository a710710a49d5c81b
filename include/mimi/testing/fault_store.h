#ifndef MIMI_TESTING_FAULT_STORE_H_
#define MIMI_TESTING_FAULT_STORE_H_

/// \file
/// FaultStore: any store, made unreliable in the ways that sink.h and store.h allow.
///
/// What writes to a store must survive back-pressure, late confirmations, accepted batches that are
/// lost, and times without a store. With a seed, a failure repeats itself:
///
///     FaultStore store(*memory, loop, seed, {.refuse = 0.1, .lose = 0.02, .confirm_after = milliseconds(5)});
///     store.set_available(false);          // … and back, as the test likes
///
/// Apply copies a batch and passes it on `confirm_after` later; an error of the store behind (a
/// fence, say) comes back from the next Apply of the same table, origin and term, once, as with a
/// store over a network.
///
/// Threads: the loop thread only. Lifetime: the store behind and the loop outlive it; it outlives
/// its cursors.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/store.h"

namespace mimi {

/// Probabilities are per Apply, 0 to 1.
struct Faults {
  double refuse = 0;  ///< ResourceExhausted, nothing taken
  double lose = 0;    ///< Unavailable, and all that is accepted and not yet confirmed is lost
  Duration confirm_after{};  ///< 0: at the next turn of the loop
};

struct FaultCounts {
  std::uint64_t refused = 0;
  std::uint64_t lost_batches = 0;
  std::uint64_t unavailable = 0;
};

class FaultStore final : public StateStore {
 public:
  FaultStore(StateStore& behind, Loop& loop, std::uint64_t seed, const Faults& faults)
      : behind_(behind), loop_(loop), random_(seed), faults_(faults) {}

  /// Off: everything answers Unavailable, and what was not confirmed is lost. On: cursors are
  /// woken.
  void set_available(bool available) {
    available_ = available;
    if (!available) {
      Lose();
      return;
    }
    for (const auto& wake : std::exchange(asleep_, {})) {
      loop_.Post([wake] {
        if (const auto alive = wake.lock()) {
          (*alive)();
        }
      });
    }
  }
  void set_faults(const Faults& faults) { faults_ = faults; }
  const FaultCounts& counts() const { return counts_; }

  absl::StatusOr<Position> Apply(const BatchView& batch) override {
    ForgetOlderTerms(StreamOf(batch));
    if (const auto owed = owed_.find(StreamOf(batch)); owed != owed_.end()) {
      const absl::Status status = std::move(owed->second.status);
      owed_.erase(owed);
      return status;
    }
    if (!available_ || Dice(faults_.lose)) {
      Lose();
      owed_.erase(StreamOf(batch));  // this one is told now
      ++counts_.unavailable;
      return absl::UnavailableError("fault store: unavailable");
    }
    if (Dice(faults_.refuse)) {
      ++counts_.refused;
      return absl::ResourceExhaustedError("fault store: full");
    }
    waiting_.push_back(
        {StreamOf(batch), ++accepted_, {batch.bytes().begin(), batch.bytes().end()}});
    loop_.At(loop_.now() + faults_.confirm_after, [this, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.lock()) {
        PassOn();
      }
    });
    return accepted_;
  }
  // Not past what was lost, until its writer has been told.
  Position confirmed() const override {
    Position confirmed = confirmed_;
    for (const auto& [stream, owed] : owed_) {
      confirmed = std::min(confirmed, owed.lost - 1);
    }
    return confirmed;
  }

  void Open(const StateSchema& schema, StatusCallback done) override {
    available_ ? behind_.Open(schema, std::move(done)) : Answer(std::move(done), Gone());
  }
  void Claim(const ClaimRequest& request, ClaimCallback done) override {
    available_ ? behind_.Claim(request, std::move(done))
               : Answer(std::move(done), absl::StatusOr<Claimed>(Gone()));
  }
  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override {
    available_ ? behind_.Lookup(table, key, std::move(done))
               : Answer(std::move(done), absl::StatusOr<Found>(Gone()));
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override {
    return Wrap([&](std::function<void()> w) { return behind_.Watch(from, std::move(w)); },
                std::move(wake));
  }
  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override {
    return Wrap([&](std::function<void()> w) { return behind_.Snapshot(table, std::move(w)); },
                std::move(wake));
  }
  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override {
    return behind_.NewLease(name, owner);
  }
  StoreState state() const override {
    StoreState state = behind_.state();
    if (!available_) {
      state.available = false;
      state.reason = "fault store: unavailable";
    }
    return state;
  }
  std::optional<StateSchema> schema(TableId table) const override { return behind_.schema(table); }

 private:
  using Wake = std::shared_ptr<std::function<void()>>;

  class FaultCursor final : public Cursor {
   public:
    FaultCursor(FaultStore& store, std::unique_ptr<Cursor> behind, Wake wake)
        : store_(store), behind_(std::move(behind)), wake_(std::move(wake)) {}
    absl::StatusOr<std::optional<BatchView>> Next() override {
      if (!store_.available_) {
        store_.asleep_.push_back(wake_);
        return Gone();
      }
      return behind_->Next();
    }
    Position position() const override { return behind_->position(); }
    bool done() const override { return behind_->done(); }

   private:
    FaultStore& store_;
    std::unique_ptr<Cursor> behind_;
    Wake wake_;
  };

  using Stream = std::tuple<TableId, Origin, std::uint64_t>;
  // What a writer has to be told: its batch at this position was lost, or refused.
  struct Owed {
    absl::Status status;
    Position lost = 0;
  };
  struct Waiting {
    Stream stream;
    Position position = 0;
    std::vector<std::byte> bytes;
  };

  static absl::Status Gone() { return absl::UnavailableError("fault store: unavailable"); }

  bool Dice(double probability) {
    return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
  }
  static Stream StreamOf(const BatchView& batch) {
    return {batch.table(), batch.origin(), batch.term()};
  }
  // A writer that has begun a term does not care what became of its older ones.
  void ForgetOlderTerms(const Stream& stream) {
    const auto& [table, origin, term] = stream;
    owed_.erase(owed_.lower_bound({table, origin, 0}), owed_.lower_bound(stream));
  }

  void Lose() {
    counts_.lost_batches += waiting_.size();
    for (const Waiting& lost : waiting_) {
      owed_.try_emplace(lost.stream, Owed{Gone(), lost.position});
    }
    waiting_.clear();
  }
  // One timer for each batch: whichever comes first passes the oldest on.
  void PassOn() {
    if (waiting_.empty()) {
      return;
    }
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    const absl::StatusOr<BatchView> batch = BatchView::Parse(next.bytes);
    const absl::Status status = batch.ok() ? behind_.Apply(*batch).status() : batch.status();
    if (status.ok()) {
      confirmed_ = next.position;
      return;
    }
    // What the same writer sent behind it cannot be stored either; other writers do not care.
    owed_.try_emplace(next.stream, Owed{status, next.position});
    counts_.lost_batches += 1 + std::erase_if(waiting_, [&](const Waiting& other) {
                              return other.stream == next.stream;
                            });
  }
  template <class Callback, class Value>
  void Answer(Callback done, Value value) {
    loop_.Post(
        [done = std::move(done), value = std::move(value), alive = std::weak_ptr<bool>(alive_)] {
          if (alive.lock()) {
            done(value);
          }
        });
  }
  template <class Make>
  absl::StatusOr<std::unique_ptr<Cursor>> Wrap(Make make, std::function<void()> wake) {
    if (!available_) {
      return Gone();
    }
    const auto shared = std::make_shared<std::function<void()>>(wake);
    absl::StatusOr<std::unique_ptr<Cursor>> behind = make(std::move(wake));
    if (!behind.ok()) {
      return behind.status();
    }
    return std::make_unique<FaultCursor>(*this, std::move(*behind), shared);
  }

  StateStore& behind_;
  Loop& loop_;
  std::mt19937_64 random_;
  Faults faults_;
  FaultCounts counts_;
  bool available_ = true;
  std::map<Stream, Owed> owed_;
  std::deque<Waiting> waiting_;
  Position accepted_ = 0;
  Position confirmed_ = 0;
  std::vector<std::weak_ptr<std::function<void()>>> asleep_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>();
};

}  // namespace mimi

#endif  // MIMI_TESTING_FAULT_STORE_H_
