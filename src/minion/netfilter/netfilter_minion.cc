#include "src/minion/netfilter/netfilter_minion.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "src/base/status.h"
#include "src/minion/netfilter/standby.h"

namespace mimi {
namespace internal {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(1);
constexpr Duration kFirstRefresh = std::chrono::seconds(10);

constexpr std::uint32_t kLongestTimeout = 24 * 24 * 3600;  // the kernel counts 1 ms in 31 bits

std::uint32_t SecondsOf(Duration duration) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(duration).count(), 1, kLongestTimeout));
}

}  // namespace

NetfilterMinionImpl::NetfilterMinionImpl(NetfilterMinionOptions options, Loop& loop,
                                         NetworkNamespace inside,
                                         std::unique_ptr<KernelTable> table,
                                         std::unique_ptr<ConntrackWalk> audit,
                                         std::unique_ptr<ConntrackWalk> refresh)
    : options_(std::move(options)),
      loop_(loop),
      inside_(std::move(inside)),
      table_(std::move(table)),
      audit_walk_(std::move(audit)),
      refresh_walk_(std::move(refresh)),
      log_(options_.log),
      held_(std::random_device()()),
      injector_(*table_, held_, options_.node.empty() ? Origin{0} : OriginOf(options_.node)) {
}

NetfilterMinionImpl::~NetfilterMinionImpl() {
  *self_ = nullptr;
  loop_.Cancel(timer_);
  loop_.Cancel(refresh_timer_);
  if (worker_.joinable()) {
    worker_.join();
  }
}

absl::StatusOr<Position> NetfilterMinionImpl::Apply(const BatchView& batch) {
  if (batch.table() != schema().table() || batch.key_size() != HeldFlows::kKeySize) {
    return Error(absl::StatusCode::kInvalidArgument, "a batch of another table than {}",
                 schema().name());
  }
  if (!warm_) {
    return Error(absl::StatusCode::kUnavailable, "{}: not warm", schema().name());
  }
  if (!waiting_.empty() && waiting_bytes_ + batch.bytes().size() > options_.max_waiting_bytes) {
    return Error(absl::StatusCode::kResourceExhausted, "{} bytes wait for the kernel",
                 waiting_bytes_);
  }
  Waiting& waiting = waiting_.emplace_back();
  waiting.bytes.assign(batch.bytes().begin(), batch.bytes().end());
  waiting.batch = batch.At(waiting.bytes);
  waiting.position = ++accepted_;
  waiting_bytes_ += waiting.bytes.size();
  if (waiting_.size() == 1) {
    if (absl::Status status = Inject(); !status.ok()) {
      return status;
    }
  }
  GoOn();
  return accepted_;
}

absl::Status NetfilterMinionImpl::Inject() {
  const MonotonicTime until = loop_.now() + kSlice;
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    if (absl::Status status = InjectBatch(first, until); !status.ok()) {
      // What was accepted may be half done: all of it comes again.
      waiting_.clear();
      waiting_bytes_ = 0;
      warm_ = false;
      unhealthy_ = std::string(Message(status));
      return status;
    }
    if (first.next < first.batch.size()) {
      break;
    }
    confirmed_ = first.position;
    waiting_bytes_ -= first.bytes.size();
    waiting_.pop_front();
    if (loop_.now() >= until) {
      break;
    }
  }
  return absl::OkStatus();
}

absl::Status NetfilterMinionImpl::InjectBatch(Waiting& waiting, MonotonicTime until) {
  while (waiting.next < waiting.batch.size()) {
    while (waiting.next < waiting.batch.size() && injector_.Add(waiting.batch[waiting.next])) {
      ++waiting.next;
    }
    if (absl::Status status = injector_.Flush(); !status.ok()) {
      return status;
    }
    if (loop_.now() >= until) {
      break;
    }
  }
  return absl::OkStatus();
}

void NetfilterMinionImpl::GoOn() {
  if (waiting_.empty() || going_on_) {
    return;
  }
  going_on_ = true;
  Post([this] {
    going_on_ = false;
    if (const absl::Status status = Inject(); !status.ok()) {
      log_.Fail("{}", Message(status));
    }
    GoOn();
  });
}

void NetfilterMinionImpl::Warm(StatusCallback done) {
  if (worker_.joinable()) {
    worker_.join();
  }
  // nft takes some 10 ms, the disc may take longer: not on the loop.
  worker_ = std::thread([this, self = self_, done = std::move(done)] {
    absl::Status status = MakeStandby(options_, inside_);
    std::uint32_t longest = 0;
    LocalAddresses local;
    if (status.ok()) {
      absl::StatusOr<LocalAddresses> addresses = inside_.Addresses();
      absl::StatusOr<std::uint32_t> read = LongestConntrackTimeout(inside_);
      status = addresses.ok() ? read.status() : addresses.status();
      if (status.ok()) {
        longest = *read;
        local = *std::move(addresses);
      }
    }
    loop_.Post([this, self, status, longest, local = std::move(local), done] {
      if (*self != nullptr) {
        OnWarm(status, longest, local, done);
      }
    });
  });
}

void NetfilterMinionImpl::OnWarm(const absl::Status& status, std::uint32_t longest,
                                 LocalAddresses local, const StatusCallback& done) {
  absl::Status result = status;
  if (result.ok()) {
    filter_.set_local(std::move(local));
    absl::StatusOr<KernelGauges> gauges = KernelGauges::Open(inside_);
    result = gauges.status();
    if (gauges.ok()) {
      gauges_ = *std::move(gauges);
    }
  }
  if (!result.ok()) {
    unhealthy_ = std::string(Message(result));
    done(result);
    return;
  }
  unhealthy_.clear();
  warm_ = true;
  Injector::Limits limits;
  limits.touched_below = StandbyAbove(longest);
  limits.standby_timeout = std::min(
      std::max(SecondsOf(options_.standby_timeout), longest + 48 * 3600), kOwnStandby - 3600);
  limits.own_timeout = kLongestTimeout;
  limits.closing_timeout = SecondsOf(options_.closing_timeout);
  injector_.set_limits(limits);
  filter_.leave_out_unanswered(limits.touched_below);
  LookAround();
  // Not at once: a box with traffic that starts again is told so only now.
  loop_.Cancel(refresh_timer_);
  refresh_timer_ = loop_.At(loop_.now() + kFirstRefresh, [this] { Refresh(); });
  done(absl::OkStatus());
}

void NetfilterMinionImpl::Move(bool active, StatusCallback done) {
  Post([this, active, done = std::move(done)] {
    if (active_ && !active) {
      retiring_ = true;
    }
    active_ = active;
    injector_.set_traffic_here(active);
    if (!active && warm_) {
      Refresh();
    }
    done(absl::OkStatus());
  });
}

}  // namespace internal

absl::StatusOr<std::unique_ptr<NetfilterMinion>> NewNetfilterMinion(NetfilterMinionOptions options,
                                                                    Loop& loop) {
  if (absl::Status status = internal::CheckStandbyOptions(options); !status.ok()) {
    return status;
  }
  absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(options.network_namespace);
  if (!inside.ok()) {
    return inside.status();
  }
  absl::StatusOr<std::unique_ptr<internal::KernelTable>> table =
      internal::KernelTable::Open(*inside);
  if (!table.ok()) {
    return table.status();
  }
  absl::StatusOr<std::unique_ptr<ConntrackWalk>> audit = ConntrackWalk::Open(*inside);
  absl::StatusOr<std::unique_ptr<ConntrackWalk>> refresh = ConntrackWalk::Open(*inside);
  if (!audit.ok() || !refresh.ok()) {
    return audit.ok() ? refresh.status() : audit.status();
  }
  return std::make_unique<internal::NetfilterMinionImpl>(std::move(options), loop,
                                                         *std::move(inside), *std::move(table),
                                                         *std::move(audit), *std::move(refresh));
}

}  // namespace mimi
