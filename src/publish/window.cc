#include "src/publish/window.h"

#include <algorithm>
#include <utility>

namespace mimi {

Window::Window(const StateSchema& schema, Origin origin, StateSink& sink,
               const PublisherOptions& options, std::uint64_t seed)
    : schema_(schema),
      origin_(origin),
      sink_(sink),
      batch_size_(options.batch_size),
      max_(options.window),
      retry_min_(options.retry_min),
      retry_max_(options.retry_max),
      random_(static_cast<std::minstd_rand::result_type>(seed)) {
}

void Window::StartTerm(std::uint64_t term) {
  term_ = term;
  next_sequence_ = 1;
}

std::unique_ptr<BatchBuilder> Window::TakeBuilder(std::size_t reserve) {
  if (sealed_.size() + reserve >= max_) {
    return nullptr;
  }
  if (spare_.empty()) {
    return std::make_unique<BatchBuilder>(schema_, origin_, batch_size_);
  }
  std::unique_ptr<BatchBuilder> builder = std::move(spare_.back());
  spare_.pop_back();
  return builder;
}

void Window::GiveBack(std::unique_ptr<BatchBuilder> builder) {
  builder->Clear();
  spare_.push_back(std::move(builder));
}

void Window::Seal(std::unique_ptr<BatchBuilder> builder, UnixTime time, std::uint64_t stream_end) {
  const BatchView view = builder->Seal(term_, next_sequence_, time);
  next_sequence_ += view.size();
  counters_.records += view.size();
  ++counters_.batches;
  sealed_.push_back({.builder = std::move(builder), .view = view, .stream_end = stream_end});
}

absl::Status Window::Send(MonotonicTime now) {
  if (now < retry_at_) {
    return absl::OkStatus();
  }
  for (Sealed& batch : sealed_) {
    if (batch.accepted) {
      continue;
    }
    const absl::StatusOr<Position> position = sink_.Apply(batch.view);
    if (!position.ok()) {
      return Failed(position.status(), now);
    }
    counters_.resent += batch.offered_before ? 1 : 0;
    batch.accepted = true;
    batch.offered_before = true;
    batch.position = *position;
    sent_position_ = std::max(sent_position_, *position);
    retry_delay_ = Duration::zero();
    last_send_ = now;
  }
  return absl::OkStatus();
}

absl::Status Window::Heartbeat(UnixTime time, MonotonicTime now) {
  if (now < retry_at_) {
    return absl::OkStatus();
  }
  BatchBuilder builder(schema_, origin_, /*capacity=*/0);
  builder.set_flags(kBatchHeartbeat);
  const absl::StatusOr<Position> position = sink_.Apply(builder.Seal(term_, next_sequence_, time));
  last_send_ = now;  // also when there was no room: a busy sink is not asked more often
  if (!position.ok()) {
    return Failed(position.status(), now);
  }
  ++counters_.heartbeats;
  retry_delay_ = Duration::zero();
  return absl::OkStatus();
}

absl::Status Window::Failed(const absl::Status& status, MonotonicTime now) {
  if (absl::IsResourceExhausted(status)) {
    ++counters_.refused;
    return absl::OkStatus();
  }
  if (!absl::IsUnavailable(status)) {
    return status;
  }
  // What was taken and is not confirmed may be lost: all of it again, when the sink is back.
  for (Sealed& batch : sealed_) {
    batch.accepted = false;
  }
  retry_delay_ = std::clamp(retry_delay_ * 2, retry_min_, retry_max_);
  const Duration half = retry_delay_ / 2;
  std::uniform_int_distribution<Duration::rep> jitter(0, half.count());
  retry_at_ = now + half + Duration(jitter(random_));
  return absl::OkStatus();
}

void Window::Confirm() {
  if (sealed_.empty()) {
    return;
  }
  const Position confirmed = sink_.confirmed();
  while (!sealed_.empty() && sealed_.front().accepted && sealed_.front().position <= confirmed) {
    stream_done_ = sealed_.front().stream_end;
    GiveBack(std::move(sealed_.front().builder));
    sealed_.pop_front();
    ++done_;
  }
}

std::optional<Window::Withdrawn> Window::WithdrawNewest() {
  if (withdrawn_ != nullptr) {
    GiveBack(std::move(withdrawn_));
  }
  if (sealed_.empty()) {
    return std::nullopt;
  }
  const BatchView view = sealed_.back().view;
  withdrawn_ = std::move(sealed_.back().builder);
  sealed_.pop_back();
  return Withdrawn{view, stream_end()};
}

}  // namespace mimi
