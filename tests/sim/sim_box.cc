#include "tests/sim/sim_box.h"

#include <algorithm>

namespace mimi::sim {

StateSchema FlowSchema() {
  return *StateSchema::Builder("sim.flow", 1)
              .Key("id", FieldType::kU32)
              .Value("stamp", FieldType::kU64)
              .Build();
}

std::vector<std::byte> FlowRow(std::uint32_t id, std::uint64_t stamp) {
  std::vector<std::byte> row(12);
  StoreLe(row.data(), id);
  StoreLe(row.data() + 4, stamp);
  return row;
}

bool SimDriver::Lose() {
  if (losing_ == 0) {
    return false;
  }
  --losing_;
  ++lost_;
  return true;
}

bool SimDriver::Changed(std::uint32_t id, std::uint64_t stamp) {
  if (sink_ == nullptr || Lose()) {
    return false;
  }
  draft_.Put(FlowRow(id, stamp));
  return Send();
}

bool SimDriver::Ended(std::uint32_t id, bool abrupt) {
  if (sink_ == nullptr || Lose()) {
    return false;
  }
  const std::vector<std::byte> row = FlowRow(id, 0);
  draft_.Erase(std::span(row).first(4), abrupt ? Op::kEraseAbrupt : Op::kErase);
  return Send();
}

bool SimDriver::Send() {
  const bool taken = sink_->Apply(draft_.Draft()).ok();
  draft_.Clear();
  lost_ += taken ? 0 : 1;
  return taken;
}

// One slice: the simulated tables are small. A walk that finds no room is begun again when asked.
absl::Status SimDriver::Resync() {
  if (sink_ == nullptr) {
    return absl::FailedPreconditionError("stopped");
  }
  draft_.set_flags(kBatchResyncBegin);
  absl::Status sent = sink_->Apply(draft_.Draft()).status();
  draft_.Clear();
  draft_.set_flags(0);
  for (auto flow = box_.flows.begin(); sent.ok() && flow != box_.flows.end(); ++flow) {
    draft_.Put(FlowRow(flow->first, flow->second.stamp));
    sent = sink_->Apply(draft_.Draft()).status();
    draft_.Clear();
  }
  if (sent.ok()) {
    draft_.set_flags(kBatchResyncEnd);
    sent = sink_->Apply(draft_.Draft()).status();
    draft_.Clear();
    draft_.set_flags(0);
  }
  return absl::OkStatus();
}

absl::StatusOr<Position> SimMinion::Apply(const BatchView& batch) {
  if (!box_.up) {
    return absl::UnavailableError("the box is down");
  }
  if (busy_()) {
    return absl::ResourceExhaustedError("busy");
  }
  for (const RecordView record : batch) {
    const auto id = LoadLe<std::uint32_t>(record.key.data());
    if (record.op == Op::kPut) {
      const auto stamp = LoadLe<std::uint64_t>(record.row.data() + 4);
      box_.flows[id] = SimFlow{stamp, loop_.now()};
    } else {
      box_.flows.erase(id);
    }
  }
  accepted_ += std::max<std::size_t>(1, batch.size());
  return accepted_;
}

absl::StatusOr<bool> SimMinion::Audit(AuditVisitor& visitor, std::size_t budget) {
  if (!box_.up) {
    return absl::UnavailableError("the box is down");
  }
  auto flow = audit_at_.has_value() ? box_.flows.upper_bound(*audit_at_) : box_.flows.begin();
  for (; flow != box_.flows.end() && budget > 0; ++flow, --budget) {
    visitor.Row(FlowRow(flow->first, flow->second.stamp));
    audit_at_ = flow->first;
  }
  if (flow == box_.flows.end()) {
    audit_at_.reset();
    return true;
  }
  return false;
}

}  // namespace mimi::sim
