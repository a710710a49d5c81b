#include "src/engine/controller_host.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

// How often the controller looks again although the board has not changed: while a move waits for
// the store's head, and otherwise.
constexpr Duration kLookDuringMove = std::chrono::milliseconds(1);
constexpr Duration kLook = std::chrono::milliseconds(50);

}  // namespace

ControllerHost::ControllerHost(ControllerOptions options, Parts parts, std::unique_ptr<Lease> lease)
    : manager_(options.manager),
      blind_after_(options.blind_after),
      parts_(std::move(parts)),
      lease_(std::move(lease)),
      controller_(std::make_unique<Controller>(
          std::move(options), static_cast<ControllerEffects&>(*this), *lease_, parts_.loop)) {
}

absl::StatusOr<std::unique_ptr<ControllerHost>> ControllerHost::New(ControllerOptions options,
                                                                    const PublisherOptions& publish,
                                                                    Parts parts) {
  const std::string node = options.manager.node;
  std::unique_ptr<Lease> lease = parts.store.NewLease("manager", OriginOf(node));
  if (lease == nullptr) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "store: it has no leases, which a manager needs");
  }
  std::unique_ptr<ControllerHost> host(
      new ControllerHost(std::move(options), std::move(parts), std::move(lease)));
  absl::StatusOr<std::unique_ptr<ControlWriter>> writer =
      ControlWriter::New(node + "/wanted", ControlWriter::Claims::kWhenTold, host->parts_.store,
                         host->parts_.loop, host->parts_.board, publish);
  if (!writer.ok()) {
    return writer.status();
  }
  host->writer_ = *std::move(writer);
  return host;
}

ControllerHost::~ControllerHost() {
  for (Liveness* liveness : started_) {
    liveness->Stop();
  }
}

absl::Status ControllerHost::Start() {
  for (Liveness* liveness : manager_.liveness) {
    absl::Status started = liveness->Start([this](const LivenessEvent& event) { Report(event); });
    if (!started.ok()) {
      return Prepend(liveness->name(), started);
    }
    started_.push_back(liveness);
  }
  controller_->Update(Inputs());
  controller_->Start();
  return absl::OkStatus();
}

void ControllerHost::Stop() {
  for (Liveness* liveness : started_) {
    liveness->Stop();
  }
  started_.clear();
  controller_->Stop();
}

void ControllerHost::Report(const LivenessEvent& event) {
  if (event.health == Health::kDown) {
    parts_.on_down(event.box);
  }
  controller_->Update(Inputs());  // what it decides on must not be older than the event
  controller_->Report(event);
}

PartStatus ControllerHost::StatusOf(const Parts& parts, Duration blind_after, PairRowKind kind,
                                    Side side) {
  PartStatus status;
  if (std::optional<PairRow> local = parts.local(kind, side); local.has_value()) {
    status.heard = true;
    status.report = *local;
    return status;
  }
  const ControlBoard::Part& part = parts.board.part(kind, side);
  status.report = part.row;
  if (part.heard.has_value()) {
    status.since_heard = parts.loop.now() - *part.heard;
    status.heard = status.since_heard < blind_after;
  } else {
    status.since_heard = Duration::max();
  }
  return status;
}

ControllerInputs ControllerHost::Inputs() const {
  ControllerInputs inputs;
  const auto part = [this](PairRowKind kind, Side side) {
    return StatusOf(parts_, blind_after_, kind, side);
  };
  inputs.primary_source = part(PairRowKind::kSource, Side::kPrimary);
  inputs.primary_sink = part(PairRowKind::kSink, Side::kPrimary);
  inputs.minion_source = part(PairRowKind::kSource, Side::kMinion);
  inputs.minion_sink = part(PairRowKind::kSink, Side::kMinion);
  inputs.store = parts_.store.state();
  if (const PairRow* stored = parts_.board.stored_wanted(); stored != nullptr) {
    inputs.wanted = *stored;
  }
  return inputs;
}

void ControllerHost::Tick(MonotonicTime now) {
  ticking_ = true;
  writer_->Tick(now);
  ContinueTaking();
  KeepWanted();
  if (parts_.board.changes() != seen_changes_ || now >= next_update_) {
    seen_changes_ = parts_.board.changes();
    next_update_ = now + (controller_->step().has_value() ? kLookDuringMove : kLook);
    controller_->Update(Inputs());
  }
  controller_->Tick();
  ticking_ = false;
}

std::optional<MonotonicTime> ControllerHost::NextDeadline() const {
  MonotonicTime next = std::min(writer_->NextDeadline(), next_update_);
  if (const std::optional<MonotonicTime> at = controller_->NextDeadline(); at.has_value()) {
    next = std::min(next, *at);
  }
  return next;
}

void ControllerHost::TakeBoard(StatusCallback done) {
  taking_ = std::move(done);
  wanted_.reset();
  writer_->Outrank();
  parts_.wake();
}

// The board is taken when everything that earlier terms wrote has been read.
void ControllerHost::ContinueTaking() {
  if (!taking_) {
    return;
  }
  if (!writer_->claims()) {
    writer_->Outrank();  // the repository that knew its claim was replaced
  }
  const StoreState store = parts_.store.state();
  const bool available = store.available;
  const std::optional<Position> claimed_at = writer_->claimed_at();
  // Positions of two repositories cannot be compared.
  const bool read = claimed_at.has_value() && parts_.feed.loaded() && parts_.board.loaded() &&
                    parts_.feed.incarnation() == store.incarnation &&
                    parts_.feed.position() >= *claimed_at;
  if (available && !read) {
    return;
  }
  const StatusCallback done = std::exchange(taking_, nullptr);
  if (!available) {
    done(Error(absl::StatusCode::kUnavailable, "the store is not available"));
    return;
  }
  controller_->Update(Inputs());
  done(absl::OkStatus());
}

// The writer's term was lost with the repository that had handed it out, or one who held the lease
// of that repository has outranked it since. Only who holds the lease now may write again what it
// wants.
void ControllerHost::KeepWanted() {
  const StoreState store = parts_.store.state();
  const bool claimed = writer_->claimed_at().has_value();
  const bool outranked = parts_.board.loaded() && parts_.feed.incarnation() == store.incarnation &&
                         parts_.board.stored_wanted_version().term > writer_->term();
  if (claimed) {
    rewriting_ = false;
  }
  if ((claimed && !outranked) || taking_ || rewriting_ || !wanted_.has_value() ||
      !controller_->acting() || !store.available) {
    return;
  }
  rewriting_ = true;
  writer_->Outrank();
  writer_->Write(*wanted_);
}

void ControllerHost::WriteWanted(const PairRow& row) {
  wanted_ = row;
  parts_.board.Force(row);
  writer_->Write(row);
  parts_.wake();
}

void ControllerHost::Steer(Side to, Steering::Guard guard, StatusCallback done) {
  if (to == Side::kMinion) {
    manager_.steering->Divert(std::move(guard), std::move(done));
  } else {
    manager_.steering->Restore(std::move(guard), std::move(done));
  }
}

void ControllerHost::Observe(Steering::ObserveCallback done) {
  manager_.steering->Observe(std::move(done));
}

void ControllerHost::Claim(const ClaimRequest& request, ClaimCallback done) {
  parts_.store.Claim(request, std::move(done));
}

void ControllerHost::Emit(std::string_view kind, std::string detail) {
  parts_.emit(kind, std::move(detail));
}

// Within Tick() the engine looks at NextDeadline() afterwards anyway.
void ControllerHost::Changed() {
  if (!ticking_) {
    parts_.wake();
  }
}

}  // namespace mimi::internal
