#include "src/driver/conntrack/conntrack_driver.h"

#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/driver/conntrack/event_rules.h"

namespace mimi {
namespace internal {
namespace {

constexpr Duration kReadAgain = std::chrono::milliseconds(1);
constexpr Duration kSlice = std::chrono::milliseconds(1);
constexpr std::size_t kEventSize = 4096;
constexpr std::size_t kEventsAtOnce = 128;

std::uint64_t RandomSeed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

ConntrackDriverImpl::ConntrackDriverImpl(ConntrackDriverOptions options, Loop& loop,
                                         NetworkNamespace inside)
    : options_(std::move(options)),
      loop_(loop),
      inside_(std::move(inside)),
      log_(options_.log),
      tracker_({.closing_mark = options_.closing_mark,
                .unanswered = options_.unanswered,
                .echo_ports = options_.echo_ports,
                .seed = RandomSeed()},
               *this),
      builder_(FlowSchema(), Origin{}) {
}

ConntrackDriverImpl::~ConntrackDriverImpl() {
  *self_ = nullptr;
  Stop();
}

absl::Status ConntrackDriverImpl::Start(StateSink& sink) {
  // Our rules ask for no other new flows. Were this group joined always, the kernel would make an
  // event for each entry that a minion puts here, half of what the entry itself costs.
  std::vector<std::uint32_t> groups = {NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY};
  if (options_.unanswered) {
    groups.push_back(NFNLGRP_CONNTRACK_NEW);
  }
  // Listening first: from now on every entry that is made can tell of its end.
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> events =
      NetlinkSocket::OpenIn(inside_, {.receive_buffer = options_.receive_buffer,
                                      .groups = std::move(groups),
                                      .batch = kEventsAtOnce,
                                      .datagram_size = kEventSize});
  if (!events.ok()) {
    return events.status();
  }
  events_ = *std::move(events);
  absl::Status status = events_->SetFilter(EventFilter());
  if (status.ok()) {
    status = Prepare();
  }
  if (status.ok()) {
    status = Watch();
  }
  if (!status.ok()) {
    events_.reset();
    return status;
  }
  if (events_->receive_buffer() < options_.receive_buffer) {
    log_.Warn(
        "conntrack: a receive buffer of {} bytes instead of {}: CAP_NET_ADMIN is needed, or "
        "a larger net.core.rmem_max",
        events_->receive_buffer(), options_.receive_buffer);
  }
  sink_ = &sink;
  problem_.clear();
  overruns_ = events_->overruns();
  return absl::OkStatus();
}

absl::Status ConntrackDriverImpl::Prepare() {
  if (absl::Status status = SetEventRules(options_, inside_); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::string> mode;
  if (absl::Status entered = inside_.Do([&] { mode = ReadSysctl("nf_conntrack_events"); });
      !entered.ok()) {
    return entered;
  }
  if (!mode.ok()) {
    return Prepend("this kernel makes no conntrack events (CONFIG_NF_CONNTRACK_EVENTS)",
                   mode.status());
  }
  if (*mode == "0") {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "sysctl net.netfilter.nf_conntrack_events is 0, expected 1 or 2: flows that a "
                 "minion puts into the table would never tell of their end");
  }
  const absl::StatusOr<std::uint32_t> longest = LongestConntrackTimeout(inside_);
  if (!longest.ok()) {
    return longest.status();
  }
  tracker_.set_standby_above(StandbyAbove(*longest));
  absl::StatusOr<LocalAddresses> local = inside_.Addresses();
  if (!local.ok()) {
    return local.status();
  }
  tracker_.set_local(*std::move(local));
  return absl::OkStatus();
}

void ConntrackDriverImpl::Stop() {
  if (events_ != nullptr && watched_) {
    loop_.UnwatchFd(events_->fd());
  }
  watched_ = false;
  loop_.Cancel(read_timer_);
  loop_.Cancel(check_timer_);
  events_.reset();
  walker_.reset();
  walk_ = Walk::kNone;
  stalled_ = false;
  next_ = count_ = 0;
  sink_ = nullptr;
}

absl::Status ConntrackDriverImpl::Watch() {
  watched_ = true;
  return loop_.WatchFd(events_->fd(), kReadable, [this](std::uint32_t) { OnReadable(); });
}

// Low: level-triggered, so each event wakes us. Normal: after a wake-up we come back each
// millisecond by ourselves, as long as there is something.
void ConntrackDriverImpl::OnReadable() {
  (void)Read();
  if (events_ == nullptr || (options_.latency == ConntrackLatency::kLow && !stalled_)) {
    return;
  }
  if (watched_) {
    loop_.UnwatchFd(events_->fd());
    watched_ = false;
  }
  read_at_ = loop_.now();
  ReadLater();
}

void ConntrackDriverImpl::ReadLater() {
  // On a grid: what reading takes does not add to the pause. But a pause there is.
  read_at_ = std::max(read_at_ + kReadAgain, loop_.now() + kReadAgain / 4);
  read_timer_ = loop_.At(read_at_, [this] {
    const std::uint64_t before = events_seen_;
    const bool all = Read();
    if (events_ == nullptr) {
      return;
    }
    if (all && events_seen_ == before) {
      if (const absl::Status status = Watch(); !status.ok()) {
        Fail(status);
      }
      return;
    }
    ReadLater();
  });
}

bool ConntrackDriverImpl::Read() {
  const MonotonicTime until = loop_.now() + kSlice;
  bool all = false;
  while (TakeDatagrams()) {
    const absl::StatusOr<std::size_t> count = events_->Receive();
    if (!count.ok()) {
      Fail(count.status());
      return true;
    }
    if (events_->overruns() != overruns_) {
      lost_ += events_->overruns() - overruns_;
      overruns_ = events_->overruns();
    }
    next_ = 0;
    count_ = *count;
    all = count_ < kEventsAtOnce;  // and more would be the next ones
    if (all || loop_.now() >= until) {
      all = TakeDatagrams() && all;
      break;
    }
  }
  (void)Offer();
  return all;
}

// False: the sink has no room, and some are left.
bool ConntrackDriverImpl::TakeDatagrams() {
  for (; next_ < count_; ++next_) {
    if (!MakeRoom()) {
      return false;
    }
    TakeDatagram(events_->datagram(next_));
  }
  return true;
}

// One event, so one record at most.
void ConntrackDriverImpl::TakeDatagram(std::span<const std::byte> datagram) {
  NetlinkReader reader(datagram);
  CtMessage event;
  NetlinkMessage message;
  if (!reader.Next(&message)) {
    ++refusals_[static_cast<std::size_t>(CtRefusal::kTruncated)];
    return;
  }
  ++events_seen_;
  const CtRefusal refusal = ParseCtMessage(message, &event);
  if (refusal == CtRefusal::kNone) {
    tracker_.OnEvent(event);
  } else {
    ++refusals_[static_cast<std::size_t>(refusal)];
  }
}

bool ConntrackDriverImpl::MakeRoom() {
  return !builder_.full() || Offer();
}

// False: the sink has no room (it is far behind, and a walk is under way); what is built stays.
bool ConntrackDriverImpl::Offer(std::uint16_t flags) {
  if (sink_ == nullptr) {
    builder_.Clear();
    return true;
  }
  if (builder_.empty() && flags == 0) {
    return true;
  }
  builder_.set_flags(flags);
  const absl::Status taken = sink_->Apply(builder_.Draft()).status();
  stalled_ = taken.code() == absl::StatusCode::kResourceExhausted;
  if (stalled_) {
    builder_.set_flags(0);
    return false;
  }
  builder_.Clear();
  return true;
}

void ConntrackDriverImpl::Fail(const absl::Status& status) {
  problem_ = std::string(Message(status));
  log_.Fail("{}", problem_);
  ++lost_;
}

Coverage ConntrackDriverImpl::coverage() const {
  Coverage coverage;
  coverage.ends_in_packets = true;  // kErase is our closing event, all else is abrupt
  if (tracker_.tied() > 0) {
    coverage.complete = false;
    coverage.limits = fmt::format(
        "{} flows with helpers, expectations or adjusted sequences cannot go on elsewhere",
        tracker_.tied());
  }
  return coverage;
}

DriverState ConntrackDriverImpl::state() const {
  std::uint64_t refused = 0;
  for (const std::uint64_t count : refusals_) {
    refused += count;
  }
  return {.healthy = problem_.empty(),
          .reason = problem_,
          .rows = tracker_.rows(),
          .events = events_seen_,
          .refused = refused,
          .lost = lost_ + tracker_.counts().out_of_memory,
          .walking = walk_ != Walk::kNone};
}

void ConntrackDriverImpl::Collect(MetricList& metrics) const {
  const TrackerCounts& counts = tracker_.counts();
  metrics.push_back(CounterMetric("mimi_conntrack_events_total", "Events read", events_seen_));
  const auto meant = [&](std::string_view what, std::uint64_t value) {
    metrics.push_back(CounterMetric("mimi_conntrack_meant_total", "What events meant", value,
                                    {{"what", std::string(what)}}));
  };
  meant("begun", counts.begun);
  meant("changed", counts.changed);
  meant("ended", counts.ended);
  meant("ended_abruptly", counts.ended_abruptly);
  meant("ended_elsewhere", counts.ended_elsewhere);
  meant("found_gone", counts.found_gone);
  meant("late", counts.late);
  meant("echo", counts.echoes);
  meant("not_row", counts.not_rows);
  meant("not_portable", counts.not_portable);
  for (std::size_t i = 1; i < kCtRefusals; ++i) {
    metrics.push_back(
        CounterMetric("mimi_conntrack_refused_total", "Events that could not be read", refusals_[i],
                      {{"reason", std::string(CtRefusalName(static_cast<CtRefusal>(i)))}}));
  }
  metrics.push_back(CounterMetric("mimi_conntrack_lost_total",
                                  "Times that the kernel had no room for events", lost_));
  metrics.push_back(CounterMetric("mimi_conntrack_walks_total", "Walks through the table", walks_));
  metrics.push_back(CounterMetric("mimi_conntrack_walks_broken_total", "Walks that were given up",
                                  walks_broken_));
  const auto gauge = [&](std::string_view name, std::string_view help, std::size_t value) {
    metrics.push_back(GaugeMetric(name, help, static_cast<double>(value)));
  };
  gauge("mimi_conntrack_rows", "Flows published and alive", tracker_.rows());
  gauge("mimi_conntrack_unheard", "Of these, flows that may make no event when they end",
        tracker_.unheard());
  gauge("mimi_conntrack_standby", "Entries without traffic here, at the last walk",
        tracker_.standby());
  gauge("mimi_conntrack_not_portable", "Flows that cannot go on elsewhere, at the last walk",
        tracker_.tied());
  gauge("mimi_conntrack_memory_bytes", "Memory of what is known", tracker_.memory_bytes());
  gauge("mimi_conntrack_receive_buffer_bytes", "What the kernel gave",
        events_ == nullptr ? 0 : events_->receive_buffer());
}

}  // namespace internal

absl::StatusOr<std::unique_ptr<Driver>> NewConntrackDriver(ConntrackDriverOptions options,
                                                           Loop& loop) {
  if (absl::Status status = internal::CheckConntrackOptions(options); !status.ok()) {
    return status;
  }
  absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(options.network_namespace);
  if (!inside.ok()) {
    return inside.status();
  }
  return std::make_unique<internal::ConntrackDriverImpl>(std::move(options), loop,
                                                         *std::move(inside));
}

absl::Status RemoveConntrackDriver(const ConntrackDriverOptions& options) {
  if (absl::Status status = internal::CheckConntrackOptions(options); !status.ok()) {
    return status;
  }
  const absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(options.network_namespace);
  return inside.ok() ? internal::RemoveEventRules(options, *inside) : inside.status();
}

}  // namespace mimi
