#ifndef MIMI_TESTS_ENGINE_REPLICA_RIG_H_
#define MIMI_TESTS_ENGINE_REPLICA_RIG_H_

// A feed, a replica of one table, its minion and its auditor, ticked as an engine does.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "src/engine/auditor.h"
#include "src/engine/feed.h"
#include "src/engine/replica.h"
#include "tests/engine/feed_rig.h"

namespace mimi::testing {

struct ReplicaRig : Rig {
  explicit ReplicaRig(std::size_t feed_bytes = std::size_t{1} << 20) : Rig(feed_bytes) {
    minion = std::make_unique<FakeMinion>(schema, loop);
  }
  /// Makes what reads: as a process that starts.
  void Start(internal::ReplicaOptions options = {}) {
    internal::FeedOptions feed_options;
    feed_options.wake = [this] {
      woken = true;
    };
    feed = std::make_unique<internal::Feed>(*store, loop, feed_options);
    options.wake = [this] {
      woken = true;
    };
    options.warm_retry_min = std::chrono::milliseconds(10);
    options.warm_retry_max = std::chrono::milliseconds(100);
    replica = std::make_unique<internal::Replica>(schema, minion.get(), loop, options);
    feed->Subscribe(schema.table(), *replica);
    internal::AuditorOptions audit;
    audit.every = Duration(0);
    audit.may_repair = [this] {
      return may_repair;
    };
    audit.wake = [this] {
      woken = true;
    };
    auditor = std::make_unique<internal::Auditor>(*replica, loop, audit);
    replica->Start();
    feed->Start();
    Settle();
  }
  void Stop() {
    auditor.reset();
    feed.reset();
    replica.reset();
  }
  bool TickOnce() {
    time.RunFor(Duration(0));
    woken = false;
    bool more = feed->Tick(loop.now());
    more = replica->Tick(loop.now()) || more;
    if (audits && replica->TakeAuditWish()) {
      auditor->Request([](const absl::StatusOr<AuditResult>&) {});
    }
    more = auditor->Tick(loop.now()) || more;
    time.RunFor(Duration(0));
    return more || woken;
  }
  void Settle() {
    while (TickOnce()) {}
  }
  std::optional<MonotonicTime> NextDeadline() const {
    std::optional<MonotonicTime> next;
    for (const auto& at :
         {feed->NextDeadline(), replica->NextDeadline(), auditor->NextDeadline()}) {
      if (at.has_value() && (!next.has_value() || *at < *next)) {
        next = at;
      }
    }
    return next;
  }
  void SettleFor(Duration most) {
    const MonotonicTime until = loop.now() + most;
    Settle();
    for (auto next = NextDeadline(); next.has_value() && *next <= until; next = NextDeadline()) {
      time.RunFor(std::max(Duration(1000), Duration(*next - loop.now())));
      Settle();
    }
    if (loop.now() < until) {
      time.RunFor(until - loop.now());
    }
  }
  absl::StatusOr<AuditResult> Audit(Duration most = std::chrono::seconds(60)) {
    absl::StatusOr<AuditResult> answer = absl::DeadlineExceededError("no answer");
    bool answered = false;
    auditor->Request([&](const absl::StatusOr<AuditResult>& result) {
      answer = result;
      answered = true;
    });
    for (const MonotonicTime until = loop.now() + most; !answered && loop.now() < until;) {
      SettleFor(std::chrono::milliseconds(1));
    }
    REQUIRE(answered);
    return answer;
  }
  bool Equal() { return minion->held() == RowsOf(*store, schema); }

  std::unique_ptr<FakeMinion> minion;
  std::unique_ptr<internal::Feed> feed;
  std::unique_ptr<internal::Replica> replica;
  std::unique_ptr<internal::Auditor> auditor;
  bool woken = false;
  bool audits = true;  ///< the replica's wishes are granted
  bool may_repair = true;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_ENGINE_REPLICA_RIG_H_
