#include <algorithm>
#include <string>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/publish/pump_impl.h"

namespace mimi {

void Pump::set_direct_ends_sure(bool sure) {
  impl_->set_direct_ends_sure(sure);
}
void Pump::DropHeldErases() {
  impl_->DropHeldErases();
}
void Pump::set_rows(std::size_t rows) {
  impl_->set_rows(rows);
}
void Pump::Withdraw() {
  impl_->Withdraw();
}
void Pump::set_expecting(bool expecting) {
  impl_->SetExpecting(expecting);
}
bool Pump::DropOvertaken(const std::function<void(std::span<const std::byte> key)>& dropped) {
  return impl_->DropOvertaken(dropped);
}
bool Pump::backlog_confirmed() const {
  return impl_->BacklogConfirmed();
}

void Pump::Impl::DropHeldErases() {
  stats_.dropped_erases += hold_.Drop();
}

bool Pump::Impl::BacklogConfirmed() const {
  return !muted() && StreamConfirmed() >= backlog_end_;
}

void Pump::Impl::Withdraw() {
  if (!muted()) {
    term_ = 0;
    DropHeldErases();
  }
  Unseal();
}

void Pump::Impl::SetExpecting(bool expecting) {
  if (expecting_ && !expecting && muted()) {
    DropHeldErases();
  }
  expecting_ = expecting;
}

bool Pump::Impl::DropOvertaken(const std::function<void(std::span<const std::byte> key)>& dropped) {
  if (!muted()) {
    return false;
  }
  DropHeldErases();
  Unseal();
  status_ = Error(absl::StatusCode::kAborted, "{}: another box is the writer", schema_.name());
  if (pending_.empty()) {
    return false;
  }
  // Who waits for a ticket of these is not told that they arrived before the resync has.
  const std::uint64_t place = std::min(window_.stream_done(), pending_.front_stream());
  lost_from_ = std::min(lost_from_, place);
  lost_since_begin_ = std::min(lost_since_begin_, place);
  CancelRound();
  while (const std::optional<Pending::Entry> front = pending_.Front()) {
    dropped(front->op_and_row.subspan(1, schema_.key_size()));
    ++stats_.overtaken;
    pending_.PopFront();
  }
  resync_.Want(now_);
  return true;
}

bool Pump::Impl::Holds(std::span<const std::byte> key) {
  if (pending_.Holds(key) || hold_.Holds(key)) {
    return true;
  }
  const std::size_t built = builder_ == nullptr ? 0 : builder_->size();
  if (in_flight_.sealed != window_.sealed() || in_flight_.done != window_.done() ||
      in_flight_.built != built) {
    in_flight_.sealed = window_.sealed();
    in_flight_.done = window_.done();
    in_flight_.built = built;
    in_flight_.keys.clear();
    const auto add = [this](const BatchView& batch) {
      for (const RecordView record : batch) {
        in_flight_.keys.emplace(AsText(record.key));
      }
    };
    window_.ForEachUnconfirmed(add);
    if (built != 0) {
      add(builder_->Draft());
    }
  }
  return in_flight_.keys.contains(ToAbsl(AsText(key)));
}

}  // namespace mimi
