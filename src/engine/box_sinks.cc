#include "src/engine/box_sinks.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "src/base/status.h"
#include "src/engine/controller.h"

namespace mimi::internal {
namespace {

constexpr Duration kRetry = std::chrono::milliseconds(100);
// A replica's state is not free (quantiles), and ticks come each 200 µs.
constexpr Duration kWatchEvery = std::chrono::milliseconds(10);

std::string DescribeAudit(Side side, const StateSchema& schema,
                          const absl::StatusOr<AuditResult>& result) {
  if (!result.ok()) {
    return fmt::format("{} {}: {}", SideName(side), schema.name(), Message(result.status()));
  }
  return fmt::format("{} {}: compared {}, missing {}, extra {}, different {}, repaired {}",
                     SideName(side), schema.name(), result->compared, result->missing,
                     result->extra, result->different, result->repaired);
}

}  // namespace

BoxSinks::BoxSinks(Options options, std::vector<Minion*> minions, Loop& loop,
                   const ControlBoard& board, Feed& feed)
    : options_(std::move(options)), loop_(loop), board_(board) {
  for (Minion* minion : minions) {
    const TableId table = minion->schema().table();
    ReplicaOptions replica;
    replica.own = options_.own;
    if (options_.unconfirmed) {
      replica.unconfirmed = [this, table](std::span<const std::byte> key) {
        return options_.unconfirmed(table, key);
      };
    }
    replica.knows_better = options_.knows_better;
    replica.max_rows = options_.max_rows;
    replica.seed = options_.seed + replicas_.size();
    replica.wake = options_.wake;
    replica.on_event = options_.emit;
    replicas_.push_back(
        std::make_unique<Replica>(minion->schema(), minion, loop, std::move(replica)));
    feed.Subscribe(table, *replicas_.back());

    AuditorOptions auditor;
    auditor.every = options_.audit_every;
    auditor.may_repair = options_.may_repair;
    auditor.wake = options_.wake;
    auditor.on_result = [this, i = auditors_.size()](const absl::StatusOr<AuditResult>& result) {
      audited_loads_[i] = replicas_[i]->state().loads;
      unauditable_ = unauditable_ || absl::IsUnimplemented(result.status());
      options_.emit("audit", DescribeAudit(options_.side, replicas_[i]->schema(), result));
    };
    audited_loads_.push_back(0);
    auditors_.push_back(std::make_unique<Auditor>(*replicas_.back(), loop, std::move(auditor)));
  }
}

BoxSinks::~BoxSinks() = default;

void BoxSinks::Start() {
  for (const auto& replica : replicas_) {
    replica->Start();
  }
}

bool BoxSinks::loaded() const {
  return std::all_of(replicas_.begin(), replicas_.end(), [](const auto& replica) {
    return replica->settled() || !replica->minion()->state().healthy;
  });
}

// A planned return asks for one audit once the primary follows; its result is the controller's
// kCatchUp.
void BoxSinks::AuditForReturn(const PairRow* wanted) {
  if (options_.side != Side::kPrimary || wanted == nullptr || !wanted->planned ||
      wanted->phase != Phase::kRestoring || audited_for_ == wanted->since || !loaded()) {
    return;
  }
  audited_for_ = wanted->since;
  Audit([](const absl::StatusOr<AuditResult>&) {});
}

void BoxSinks::FollowWanted(MonotonicTime now) {
  if (!board_.loaded() || moving_ > 0 || now < retry_at_) {
    return;
  }
  const PairRow* wanted = board_.wanted();
  const Phase phase = wanted == nullptr ? Phase::kOnPrimary : wanted->phase;
  const bool active =
      wanted == nullptr ? options_.side == Side::kPrimary : WantsActive(*wanted, options_.side);
  AuditForReturn(wanted);
  if (ever_reached_ && active == active_) {
    reached_ = phase;
    return;
  }
  move_status_ = absl::OkStatus();
  moving_ = replicas_.size();
  for (const auto& replica : replicas_) {
    auto done = [this, active, phase,
                 alive = std::weak_ptr<bool>(alive_)](const absl::Status& status) {
      if (!alive.expired()) {
        OnMoved(active, phase, status);
      }
    };
    if (active) {
      replica->minion()->Activate(std::move(done));
    } else {
      replica->minion()->Retire(std::move(done));
    }
  }
}

void BoxSinks::OnMoved(bool active, Phase phase, const absl::Status& status) {
  if (!status.ok()) {
    move_status_ = status;
  }
  if (--moving_ > 0) {
    return;
  }
  if (!move_status_.ok()) {
    options_.emit("error", fmt::format("{}: cannot {} the sinks: {}", SideName(options_.side),
                                       active ? "activate" : "retire", Message(move_status_)));
    retry_at_ = loop_.now() + kRetry;
    return;
  }
  active_ = active;
  for (const auto& replica : replicas_) {
    replica->set_active(active);
  }
  reached_ = phase;
  ever_reached_ = true;
  options_.wake();
}

// A row that did not fit is missing until an audit, later than it, finds nothing missing.
void BoxSinks::WatchRefusals() {
  std::uint64_t refused = 0;
  UnixTime clean_at = UnixTime::max();
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    refused += replicas_[i]->minion()->state().refused + replicas_[i]->state().table_full;
    const std::optional<AuditResult>& audit = auditors_[i]->last();
    const bool clean = audit.has_value() && audit->differing() == 0;
    clean_at = std::min(clean_at, clean ? auditors_[i]->last_at() : UnixTime::min());
  }
  if (refused != refused_) {
    refused_ = refused;
    refused_at_ = loop_.unix_now();
  } else if (refused_at_.has_value() && clean_at > *refused_at_) {
    refused_at_.reset();
  }
}

ReadinessFindings BoxSinks::Findings() const {
  ReadinessFindings findings;
  for (const auto& one : replicas_) {
    const ReplicaState replica = one->state();
    const MinionState minion = one->minion()->state();
    const std::string& table = one->schema().name();
    if (!minion.healthy || !replica.warm) {
      const std::string& why = minion.healthy ? replica.reason : minion.reason;
      findings.Add(Readiness::kBlind, fmt::format("{}: data plane not warm: {}", table, why));
    } else if (replica.loading || replica.loads == 0) {
      findings.Add(Readiness::kSyncing, fmt::format("{}: loading", table));
    }
    if (replica.staleness.has_value() && *replica.staleness > options_.max_staleness) {
      findings.Add(
          Readiness::kDegraded,
          fmt::format("{}: {} ms stale", table, *replica.staleness / std::chrono::milliseconds(1)));
    }
  }
  if (refused_at_.has_value()) {
    findings.Add(Readiness::kDegraded, fmt::format("{} rows did not fit", refused_));
  }
  return findings;
}

bool BoxSinks::Tick(MonotonicTime now) {
  FollowWanted(now);
  if (now >= next_watch_) {
    next_watch_ = now + kWatchEvery;
    WatchRefusals();
  }
  bool more = false;
  for (const auto& replica : replicas_) {
    more = replica->Tick(now) || more;
  }
  for (std::size_t i = 0; i < auditors_.size(); ++i) {
    // While the box has the traffic nothing may be repaired: the wish waits until it has gone.
    const bool may = !options_.may_repair || options_.may_repair();
    if (may && replicas_[i]->TakeAuditWish()) {
      auditors_[i]->Request([](const absl::StatusOr<AuditResult>&) {});
    }
    more = auditors_[i]->Tick(now) || more;
  }
  return more;
}

std::optional<MonotonicTime> BoxSinks::NextDeadline() const {
  std::optional<MonotonicTime> next;
  const auto take = [&next](std::optional<MonotonicTime> at) {
    if (at.has_value() && (!next.has_value() || *at < *next)) {
      next = at;
    }
  };
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    take(replicas_[i]->NextDeadline());
    take(auditors_[i]->NextDeadline());
  }
  if (retry_at_ > loop_.now()) {
    take(retry_at_);
  }
  return next;
}

void BoxSinks::Retell(TableId table, std::span<const std::byte> key) {
  for (const auto& replica : replicas_) {
    if (replica->schema().table() == table) {
      replica->Retell(key);
    }
  }
}

void BoxSinks::WishAudit(TableId table) {
  for (const auto& replica : replicas_) {
    if (replica->schema().table() == table) {
      replica->WishAudit();
    }
  }
}

void BoxSinks::Audit(Engine::AuditCallback done) {
  struct Sum {
    AuditResult result;
    absl::Status status;
    std::size_t waiting;
    Engine::AuditCallback done;
  };
  auto sum = std::make_shared<Sum>(Sum{{}, absl::OkStatus(), auditors_.size(), std::move(done)});
  for (const auto& auditor : auditors_) {
    auditor->Request([sum](const absl::StatusOr<AuditResult>& one) {
      if (one.ok()) {
        sum->result.compared += one->compared;
        sum->result.missing += one->missing;
        sum->result.extra += one->extra;
        sum->result.different += one->different;
        sum->result.repaired += one->repaired;
        sum->result.findings.insert(sum->result.findings.end(), one->findings.begin(),
                                    one->findings.end());
      } else {
        sum->status = one.status();
      }
      if (--sum->waiting == 0) {
        sum->done(sum->status.ok() ? absl::StatusOr<AuditResult>(std::move(sum->result))
                                   : sum->status);
      }
    });
  }
}

PairRow BoxSinks::Report() const {
  PairRow row;
  row.kind = PairRowKind::kSink;
  row.side = options_.side;
  row.node = options_.own;
  row.healthy = true;
  row.active = active_;
  row.reached = reached_;
  row.unauditable = unauditable_;
  row.position = ~std::uint64_t{0};
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    const ReplicaState replica = replicas_[i]->state();
    const MinionState minion = replicas_[i]->minion()->state();
    row.healthy = row.healthy && minion.healthy && replica.warm;
    row.syncing = row.syncing || replica.loading || replica.loads == 0;
    row.position = std::min<std::uint64_t>(row.position, replica.confirmed);
    row.waiting += replica.waiting;
    row.rows += minion.rows;
    row.refused += minion.refused + replica.table_full;
    row.lost += replica.rejected;
    row.resyncs += replica.loads;
    row.staleness_p50 = std::max(row.staleness_p50, replica.staleness_p50);
    row.staleness_p99 = std::max(row.staleness_p99, replica.staleness_p99);
    row.staleness_max = std::max(row.staleness_max, replica.staleness_max);
    // An audit from before the last load says nothing of what is there now.
    if (auditors_[i]->last().has_value() && audited_loads_[i] == replica.loads) {
      row.differing += auditors_[i]->last()->differing() - auditors_[i]->last()->repaired;
      row.audited = std::max(row.audited, auditors_[i]->last_at());
    }
  }
  const ReadinessFindings findings = Findings();
  row.readiness = findings.word();
  row.reason = Text<96>(findings.reasons());
  return row;
}

}  // namespace mimi::internal
