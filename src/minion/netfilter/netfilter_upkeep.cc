// NetfilterMinion: what time asks for, and what is shown.

#include <algorithm>
#include <chrono>

#include "src/base/status.h"
#include "src/minion/netfilter/netfilter_minion.h"

namespace mimi::internal {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(1);
constexpr Duration kRefreshEvery = std::chrono::hours(1);
constexpr Duration kPause = std::chrono::milliseconds(20);
constexpr Duration kShortPause = std::chrono::milliseconds(3);

}  // namespace

// Once a second: how full the kernel's table is, and whether standby still stands.
void NetfilterMinionImpl::LookAround() {
  loop_.Cancel(timer_);
  timer_ = loop_.At(loop_.now() + kLookEvery, [this] { LookAround(); });
  SetLimits();
  if (const std::string wrong = gauges_->Wrong(); !wrong.empty()) {
    unhealthy_ = wrong;
  } else if (warm_) {
    unhealthy_.clear();
  }
}

void NetfilterMinionImpl::SetLimits() {
  const KernelGauges::Fill fill = gauges_->Read();
  Injector::Limits limits = injector_.limits();
  const std::size_t usable = fill.max / 100 * (100 - options_.reserve_percent);
  const std::size_t others = fill.count > held_.size() ? fill.count - held_.size() : 0;
  capacity_ = usable > others ? usable - others : 0;
  if (fill.max == 0) {
    capacity_ = 0;  // no limit
    limits.rows = ~std::size_t{0};
  } else {
    limits.rows = capacity_;
  }
  if (options_.max_rows > 0) {
    capacity_ = capacity_ == 0 ? options_.max_rows : std::min(capacity_, options_.max_rows);
    limits.rows = std::min(limits.rows, options_.max_rows);
  }
  injector_.set_limits(limits);
  short_of_.clear();
  if (held_.size() >= limits.rows) {
    short_of_ = fmt::format("table_near_full: {} entries of nf_conntrack_max {}, room for {} rows",
                            fill.count, fill.max, limits.rows);
  }
}

absl::StatusOr<bool> NetfilterMinionImpl::Audit(AuditVisitor& visitor, std::size_t budget) {
  if (!warm_) {
    return Error(absl::StatusCode::kUnavailable, "{}: not warm", schema().name());
  }
  if (!audit_begun_) {
    audit_begun_ = true;
    for (const std::string& taken : injector_.taken()) {
      visitor.Finding("tuple_taken", taken);
    }
    if (!short_of_.empty()) {
      visitor.Finding("table_near_full", short_of_);
    }
  }
  std::vector<std::byte> row(schema().row_size());
  // What is passed over costs time as well, so it counts a little.
  for (std::size_t shown = 0, seen = 0; shown < budget && seen < 4 * budget; ++seen) {
    const absl::StatusOr<const CtEntry*> entry = audit_walk_->Next();
    if (!entry.ok()) {
      audit_begun_ = false;
      return entry.status();
    }
    if (*entry == nullptr) {
      audit_begun_ = false;
      return true;
    }
    if (filter_.IsRow(**entry)) {
      ++shown;
      if (EncodeRow(FlowFromCt(**entry, ~options_.closing_mark), row)) {
        visitor.Row(row);
      }
    }
  }
  return false;
}

// A round through the table that gives entries without traffic here their long time-out again. What
// had traffic until now is the box's own.
void NetfilterMinionImpl::Refresh() {
  loop_.Cancel(refresh_timer_);
  bool ended = false;
  const MonotonicTime begin = loop_.now();
  const absl::Status status = active_ || !warm_ ? absl::OkStatus() : RefreshSlice(&ended);
  if (!status.ok()) {
    log_.Warn("{}", Message(status));
  }
  const bool idle = active_ || !warm_ || ended;
  if (ended) {
    retiring_ = false;
  }
  const Duration pause = idle ? kRefreshEvery : retiring_ ? kShortPause : kPause;
  refresh_timer_ = loop_.At(begin + pause, [this] { Refresh(); });
}

absl::Status NetfilterMinionImpl::RefreshSlice(bool* ended) {
  constexpr std::size_t kLooks = 256;
  const Injector::Limits& limits = injector_.limits();
  constexpr std::uint32_t kRenewAfter = 12 * 3600;
  table_->Begin();
  for (std::size_t i = 0; i < kLooks; ++i) {
    const absl::StatusOr<const CtEntry*> entry = refresh_walk_->Next();
    if (!entry.ok()) {
      return entry.status();
    }
    if (*entry == nullptr) {
      *ended = true;
      break;
    }
    if (!filter_.IsRow(**entry)) {
      continue;
    }
    const std::uint32_t left = (*entry)->timeout;
    const bool own = left < limits.touched_below || left >= kOwnStandby;
    const std::uint32_t whole = own ? limits.own_timeout : limits.standby_timeout;
    if (left < whole - kRenewAfter) {
      CtEntry renewed = **entry;
      renewed.timeout = whole;
      table_->Update(renewed, kCtTimeout);
      ++refreshed_;
    }
  }
  return table_->Exchange();
}

MinionState NetfilterMinionImpl::state() const {
  return {.healthy = unhealthy_.empty(),
          .reason = unhealthy_.empty() ? short_of_ : unhealthy_,
          .active = active_,
          .rows = held_.size(),
          .capacity = capacity_,
          .refused = injector_.counts().refused()};
}

void NetfilterMinionImpl::Collect(MetricList& metrics) const {
  const InjectorCounts& counts = injector_.counts();
  const auto done = [&](std::string_view what, std::uint64_t value) {
    metrics.push_back(CounterMetric("mimi_netfilter_done_total", "Entries changed in the kernel",
                                    value, {{"what", std::string(what)}}));
  };
  done("created", counts.created);
  done("updated", counts.updated);
  done("demoted", counts.demoted);
  done("deleted", counts.deleted);
  done("refreshed", refreshed_);
  const auto refused = [&](std::string_view why, std::uint64_t value) {
    metrics.push_back(CounterMetric("mimi_netfilter_refused_total",
                                    "Rows that the kernel's table does not hold", value,
                                    {{"reason", std::string(why)}}));
  };
  refused("given_up", counts.given_up);
  refused("table_full", counts.table_full);
  refused("tuple_taken", counts.tuple_taken);
  refused("not_possible", counts.not_possible);
  metrics.push_back(CounterMetric("mimi_netfilter_ends_kept_total",
                                  "Ends not done because the entry has traffic here",
                                  counts.ends_kept));
  metrics.push_back(CounterMetric("mimi_netfilter_repeated_total",
                                  "Exchanges repeated because answers were lost",
                                  table_->repeated()));
  metrics.push_back(GaugeMetric("mimi_netfilter_memory_bytes", "Memory of what is held",
                                static_cast<double>(held_.memory_bytes())));
}

}  // namespace mimi::internal
