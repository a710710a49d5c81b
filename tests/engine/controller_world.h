#ifndef MIMI_TESTS_ENGINE_CONTROLLER_WORLD_H_
#define MIMI_TESTS_ENGINE_CONTROLLER_WORLD_H_

// A small world for controllers on virtual time: a network that sends traffic to one of two boxes,
// a store with terms, a lease and one wanted row, the boxes' parts, which act on that row and
// report, and any number of managers, each of which can be frozen, killed and started again.
//
// Whatever a manager does is checked at the moment when it takes effect (Check…); what it must not
// do is told in `wrong`.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "mimi/builtin/policies.h"

#include "src/base/status.h"
#include "src/engine/controller.h"
#include "tests/support/virtual_time.h"

namespace mimi::testing {

using internal::Controller;
using internal::ControllerEffects;
using internal::ControllerInputs;
using internal::ControllerOptions;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Origin kPrimaryNode = 11;
inline constexpr Origin kMinionNode = 22;

inline std::size_t IndexOf(Side side) {
  return static_cast<std::size_t>(side);
}
inline Origin NodeOf(Side side) {
  return side == Side::kPrimary ? kPrimaryNode : kMinionNode;
}

class NoSteering final : public Steering {  // the world steers itself; only passive() is asked
 public:
  explicit NoSteering(bool passive) : passive_(passive) {}
  std::string_view name() const override { return "world"; }
  void Divert(Guard, StatusCallback) override {}
  void Restore(Guard, StatusCallback) override {}
  void Observe(ObserveCallback) override {}
  bool passive() const override { return passive_; }

 private:
  bool passive_;
};

class Manager;

class World {
 public:
  explicit World(std::uint64_t seed = 1) : random(seed) { Beat(); }

  VirtualTime time;
  VirtualLoop outside{time};
  std::mt19937_64 random;
  std::vector<std::string> wrong;

  // The network.
  Side traffic = Side::kPrimary;
  absl::Status steering;       // what redirects answer
  bool half_steering = false;  // a redirect that fails has its effect
  bool observable = true;

  // The store.
  bool store_up = true;
  Duration latency = milliseconds(1);
  Duration poll = milliseconds(5);  // how often a manager looks at reports and liveness
  std::uint64_t counter = 1;
  std::uint64_t term = 1;
  Origin claimant = kPrimaryNode;
  Position head = 1000;
  Position growth = 3;  // of the head, per beat
  Position unseen = 0;  // how far the head is past what the newest reports can know
  std::optional<PairRow> wanted;
  std::pair<std::uint64_t, std::uint64_t> wanted_version{};
  Origin lease_owner = 0;
  std::uint64_t lease_term = 0;
  MonotonicTime lease_until;

  // The boxes. Index by side.
  struct Box {
    bool alive = true;
    bool source = true;          // it has one
    bool sink = true;            // it has one
    bool source_heard = true;    // false: the process is gone, the box is not
    bool source_reports = true;  // false: its link to the store is down
    Readiness readiness = Readiness::kReady;
    std::uint64_t lag = 0;  // positions that the sink stays behind, since …
    MonotonicTime lag_since;
    std::uint64_t waiting = 0;  // records that the source cannot get rid of
    bool source_syncing = false;
    bool sink_syncing = false;
    bool audits = true;  // it answers the wish of a planned return
    std::uint64_t differing = 0;
    PairRow source_row, sink_row;
    MonotonicTime source_at, sink_at;
    std::uint64_t own_term = 0;
  };
  std::array<Box, 2> boxes;
  void SetLag(Box& which, std::uint64_t lag) {
    which.lag = lag;
    which.lag_since = outside.now();
  }
  Box& box(Side side) { return boxes[IndexOf(side)]; }

  std::vector<std::string> effects;  // "steer minion", "claim minion", …, in order

  StoreState store_state() const {
    StoreState state;
    state.available = store_up;
    state.reason = store_up ? "" : "cut off";
    state.head = head + unseen;
    state.term = term;
    state.claimant = claimant;
    return state;
  }

  /// Nothing is under way, and everybody agrees.
  std::string Unsettled() const {
    if (!wanted.has_value()) {
      return "no wanted row";
    }
    if (wanted->phase != internal::StablePhase(traffic) || wanted->writer != traffic) {
      return fmt::format("wanted {} by {}, traffic at {}", PhaseName(wanted->phase),
                         SideName(wanted->writer), SideName(traffic));
    }
    if (claimant != NodeOf(traffic)) {
      return fmt::format("traffic at {}, but the newest claimant is {}", SideName(traffic),
                         claimant);
    }
    for (const Side side : {Side::kPrimary, Side::kMinion}) {
      const Box& box = boxes[IndexOf(side)];
      if (box.sink && box.alive && box.sink_row.active != (side == traffic)) {
        return fmt::format("sink of {} active: {}", SideName(side), box.sink_row.active);
      }
    }
    return "";
  }

 private:
  // Parts act on the wanted row, and report, each 20 ms; all of it needs the store.
  void Beat() {
    outside.At(outside.now() + milliseconds(20), [this] {
      if (store_up) {
        head += growth;
        for (const Side side : {Side::kPrimary, Side::kMinion}) {
          BeatOf(side);
        }
      }
      Beat();
    });
  }

  void BeatOf(Side side) {
    Box& me = box(side);
    if (!me.alive) {
      return;
    }
    const PairRow now_wanted = wanted.value_or(PairRow{});
    if (me.source && me.source_heard && me.source_reports) {
      PairRow& row = me.source_row;
      row.node = NodeOf(side);
      ++row.beat;
      row.healthy = true;
      row.readiness = Readiness::kReady;
      row.coverage = 15;
      // The term that a manager claimed on its behalf is a fence; it writes under one of its own.
      if (internal::MayClaim(now_wanted, side) && claimant == NodeOf(side) && me.own_term != term) {
        term = me.own_term = ++counter;
      }
      row.term = me.own_term;
      row.position += 3;
      row.waiting = me.waiting;
      row.reached = now_wanted.phase;
      row.active = claimant == NodeOf(side);
      row.syncing = me.source_syncing;
      me.source_at = outside.now();
    }
    if (me.sink) {
      PairRow& row = me.sink_row;
      row.node = NodeOf(side);
      ++row.beat;
      row.healthy = true;
      row.readiness = me.readiness;
      row.resyncs = 1;
      row.syncing = me.sink_syncing;
      row.active = internal::WantsActive(now_wanted, side);
      if (now_wanted.phase == Phase::kRestoring && now_wanted.planned && side == Side::kPrimary &&
          me.audits) {
        row.audited = outside.unix_now();
        row.differing = me.differing;
      }
      row.reached = now_wanted.phase;
      row.position = head > me.lag ? head - me.lag : 0;
      me.sink_at = outside.now();
    }
  }
};

/// One process that manages the pair.
class Manager final : private ControllerEffects {
 public:
  struct Setup {
    bool sole = false;
    bool passive = false;
    bool restore_without_state = false;
    Duration source_silence{};
    std::shared_ptr<FailoverPolicy> policy = NewImmediatePolicy();
    std::function<void(Manager&, Side, Step, StepEdge)> on_step;
  };

  Manager(World& world, Origin owner, Setup setup)
      : world_(world),
        owner_(owner),
        setup_(std::move(setup)),
        steering_(setup_.passive),
        lease_(*this) {
    Boot();
  }

  VirtualLoop& loop() { return *loop_; }
  Controller& controller() { return *controller_; }
  bool alive() const { return alive_; }
  const std::vector<std::string>& events() const { return events_; }
  std::uint64_t restarts = 0;

  /// kill -9: nothing that it has asked for is answered; what is on its way arrives.
  void Kill() { alive_ = false; }
  /// The process starts again, with no memory.
  void Boot() {
    controller_.reset();
    loop_ = std::make_unique<VirtualLoop>(world_.time);
    ++restarts;
    alive_ = true;
    timer_ = 0;
    board_ = {};
    reported_ = {};
    alive_since_ = {};
    seen_wanted_.reset();
    last_written_ = {};
    ControllerOptions options;
    options.primary = kPrimaryNode;
    options.minion = kMinionNode;
    options.shared_claims = setup_.passive;
    options.manager.policy = setup_.policy.get();
    options.manager.steering = &steering_;
    options.manager.sole = setup_.sole;
    options.manager.restore_without_state = setup_.restore_without_state;
    options.manager.source_silence = setup_.source_silence;
    options.manager.on_step = [this](Side to, Step step, StepEdge edge) {
      if (alive_ && setup_.on_step) {
        setup_.on_step(*this, to, step, edge);
      }
    };
    controller_ = std::make_unique<Controller>(
        std::move(options), static_cast<ControllerEffects&>(*this), lease_, *loop_);
    controller_->Start();
    Poll();
  }

 private:
  class FakeLease final : public Lease {
   public:
    explicit FakeLease(Manager& manager) : m_(manager) {}
    void Acquire(Duration ttl, GrantCallback done) override { Ask(false, ttl, std::move(done)); }
    void Renew(Duration ttl, GrantCallback done) override { Ask(true, ttl, std::move(done)); }
    void Release() override {
      if (m_.world_.lease_owner == m_.owner_) {
        m_.world_.lease_until = m_.world_.outside.now();
      }
    }

   private:
    void Ask(bool renew, Duration ttl, GrantCallback done) {
      const MonotonicTime asked = m_.loop_->now();
      m_.ToStore<absl::StatusOr<LeaseGrant>>(
          [this, renew, ttl, asked]() -> absl::StatusOr<LeaseGrant> {
            World& w = m_.world_;
            const MonotonicTime now = w.outside.now();
            const bool ours = w.lease_owner == m_.owner_ && now < w.lease_until;
            const bool free = now >= w.lease_until;
            if (!ours && (renew || !free)) {
              return Error(absl::StatusCode::kAborted, "held by {}", w.lease_owner);
            }
            if (!ours) {
              w.lease_owner = m_.owner_;
              ++w.lease_term;
            }
            w.lease_until = now + ttl;
            return LeaseGrant{.term = w.lease_term, .valid_until = asked + ttl};
          },
          std::move(done));
    }
    Manager& m_;
  };

  // A question to the store: there, after the latency, `ask` runs; after it again the answer is
  // here.
  template <class Answer>
  void ToStore(std::function<Answer()> ask, std::function<void(Answer)> done) {
    if (!alive_) {
      return;
    }
    VirtualLoop* loop = loop_.get();
    const std::uint64_t life = restarts;
    world_.outside.At(world_.outside.now() + Latency(), [this, loop, life, ask, done] {
      Answer answer = world_.store_up
                          ? ask()
                          : Answer(Error(absl::StatusCode::kUnavailable, "the store is cut off"));
      if (life == restarts) {
        loop->At(loop->now() + Latency(), [this, answer, done] {
          if (alive_) {
            done(answer);
          }
        });
      }
    });
  }
  Duration Latency() { return world_.latency; }

  // ControllerEffects
  void TakeBoard(StatusCallback done) override {
    ToStore<absl::Status>(
        [this] {
          board_.term = ++world_.counter;
          return absl::OkStatus();
        },
        [this, done](const absl::Status& status) {
          Feed();
          done(status);
        });
  }
  void WriteWanted(const PairRow& row) override {
    last_written_ = row;
    Send(row, ++board_.sequence);
  }
  void Send(const PairRow& row, std::uint64_t sequence) {
    if (!alive_ || sequence != board_.sequence) {
      return;  // a newer one replaces it
    }
    const std::pair version(board_.term, sequence);
    ToStore<absl::Status>(
        [this, row, version] {
          if (version > world_.wanted_version) {
            world_.wanted = row;
            world_.wanted_version = version;
            ++world_.head;
          }
          return absl::OkStatus();
        },
        [this, row, sequence](const absl::Status& status) {
          if (!status.ok()) {
            loop_->At(loop_->now() + milliseconds(20),
                      [this, row, sequence] { Send(row, sequence); });
          }
        });
  }
  void Steer(Side to, Steering::Guard guard, StatusCallback done) override {
    if (!alive_) {
      return;
    }
    // The last preparation takes a moment; then guard and effect are one.
    loop_->At(loop_->now() + milliseconds(1), [this, to, guard, done] {
      absl::Status status = world_.steering;
      if (alive_ && !guard()) {
        status = Error(absl::StatusCode::kAborted, "guard");
      } else if (status.ok() || world_.half_steering) {
        CheckSteer(to);
        world_.traffic = to;
        world_.effects.push_back(fmt::format("steer {}", SideName(to)));
      }
      if (alive_) {
        loop_->At(loop_->now() + milliseconds(1), [this, done, status] {
          if (alive_) {
            done(status);
          }
        });
      }
    });
  }
  void Observe(Steering::ObserveCallback done) override {
    if (!alive_) {
      return;
    }
    loop_->At(loop_->now() + milliseconds(1), [this, done] {
      if (alive_) {
        done(world_.observable ? absl::StatusOr<Side>(world_.traffic)
                               : Error(absl::StatusCode::kUnavailable, "cannot look"));
      }
    });
  }
  void Claim(const ClaimRequest& request, ClaimCallback done) override {
    const PairRow row = last_written_;
    ToStore<absl::StatusOr<Claimed>>(
        [this, request, row]() -> absl::StatusOr<Claimed> {
          World& w = world_;
          if (request.expected.has_value() && *request.expected != w.term) {
            return Error(absl::StatusCode::kAborted, "expected {}, is {}", *request.expected,
                         w.term);
          }
          if (row.planned && request.origin != NodeOf(w.traffic)) {
            w.wrong.push_back("a planned move claimed before its redirect");
          }
          w.counter = std::max(w.counter, request.floor) + 1;
          w.term = w.counter;
          w.claimant = request.origin;
          w.effects.push_back(
              fmt::format("claim {}", request.origin == kPrimaryNode ? "primary" : "minion"));
          return Claimed{.term = w.term, .head = w.head};
        },
        std::move(done));
  }
  void Emit(std::string_view kind, std::string detail) override {
    if (alive_) {
      events_.push_back(fmt::format("{}: {}", kind, detail));
    }
  }
  void Changed() override {
    if (timer_ != 0) {
      loop_->Cancel(std::exchange(timer_, 0));
    }
    if (controller_ == nullptr || !alive_) {
      return;
    }
    if (const std::optional<MonotonicTime> next = controller_->NextDeadline(); next.has_value()) {
      timer_ = loop_->At(*next, [this] {
        timer_ = 0;
        if (alive_) {
          controller_->Tick();
        }
      });
    }
  }

  // Only the holder of the lease steers. While the store is cut off its own clock is all that it
  // has.
  void CheckSteer(Side to) {
    const World& w = world_;
    const bool holds = w.lease_owner == owner_ && w.outside.now() < w.lease_until;
    if (!holds && !(setup_.sole && !seen_store_up_)) {
      world_.wrong.push_back(
          fmt::format("manager {} steers to the {} without the lease", owner_, SideName(to)));
    }
    if (last_written_.planned && last_written_.phase == internal::MovingPhase(to) &&
        w.traffic != to) {
      const World::Box& target = w.boxes[IndexOf(to)];
      // (What began just now stands in no report yet.)
      if (target.lag > 256 && w.outside.now() - target.lag_since > milliseconds(200)) {
        world_.wrong.push_back("a planned move steered before the tail was short");
      }
    }
  }

  // What the process sees, each 5 ms.
  void Poll() {
    loop_->At(loop_->now() + world_.poll, [this] {
      if (!alive_) {
        return;
      }
      Feed();
      Watch(Side::kPrimary);
      Watch(Side::kMinion);
      Poll();
    });
  }
  void Feed() {
    if (world_.store_up) {
      seen_wanted_ = world_.wanted;
    }
    ControllerInputs inputs;
    inputs.wanted = seen_wanted_;
    inputs.store = world_.store_state();
    seen_store_up_ = inputs.store.available;
    const auto part = [this](const PairRow& row, MonotonicTime at) {
      PartStatus status;
      status.report = row;
      status.since_heard = row.node == 0 ? Duration::max() : loop_->now() - at;
      status.heard = status.since_heard < seconds(3);
      return status;
    };
    const World::Box& primary = world_.box(Side::kPrimary);
    const World::Box& minion = world_.box(Side::kMinion);
    inputs.primary_source = part(primary.source_row, primary.source_at);
    inputs.primary_sink = part(primary.sink_row, primary.sink_at);
    inputs.minion_source = part(minion.source_row, minion.source_at);
    inputs.minion_sink = part(minion.sink_row, minion.sink_at);
    controller_->Update(std::move(inputs));
  }
  // Liveness: a change is seen 30 ms later; a box that was never alive for us stays unknown.
  void Watch(Side side) {
    const bool alive = world_.box(side).alive;
    std::optional<bool>& reported = reported_[IndexOf(side)];
    if (!alive && !reported.has_value()) {
      return;
    }
    if (reported == alive) {
      alive_since_[IndexOf(side)].reset();
      return;
    }
    std::optional<MonotonicTime>& since = alive_since_[IndexOf(side)];
    if (!since.has_value()) {
      since = loop_->now();
    }
    if (loop_->now() - *since >= milliseconds(30)) {
      reported = alive;
      since.reset();
      controller_->Report({.box = side,
                           .health = alive ? Health::kUp : Health::kDown,
                           .at = loop_->now(),
                           .reason = alive ? "bfd: up" : "bfd: no packet for 30 ms"});
    }
  }

  World& world_;
  const Origin owner_;
  const Setup setup_;
  NoSteering steering_;
  FakeLease lease_;
  std::unique_ptr<VirtualLoop> loop_;
  std::unique_ptr<Controller> controller_;
  bool alive_ = false;
  TimerId timer_ = 0;
  struct Board {
    std::uint64_t term = 0;
    std::uint64_t sequence = 0;
  } board_;
  PairRow last_written_;
  std::optional<PairRow> seen_wanted_;
  bool seen_store_up_ = false;
  std::array<std::optional<bool>, 2> reported_;
  std::array<std::optional<MonotonicTime>, 2> alive_since_;
  std::vector<std::string> events_;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_ENGINE_CONTROLLER_WORLD_H_
