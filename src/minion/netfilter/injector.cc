#include "src/minion/netfilter/injector.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "mimi/flow.h"

#include "src/base/status.h"
#include "src/wire/row_filter.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kReplyTupleSize = 36;  // behind the key in FlowSchema()
constexpr std::size_t kRememberTaken = 16;
constexpr std::size_t kFewRecords = 8;

bool ClosingState(FlowState state) {
  return state >= FlowState::kFinWait && state <= FlowState::kClose;
}

bool IsTcp(const CtEntry& entry) {
  return entry.orig.protocol == static_cast<std::uint8_t>(IpProtocol::kTcp);
}

}  // namespace

bool Injector::Closing(const CtEntry& entry) {
  return IsTcp(entry) && RowFilter::Closing(entry);
}

std::uint64_t Injector::TranslationOf(std::span<const std::byte> row) const {
  return held_.Hash(row.subspan(HeldFlows::kKeySize, kReplyTupleSize));
}

bool Injector::Add(const RecordView& record) {
  if (jobs_.size() >= kMaxRecords || !keys_.insert(held_.Hash(record.key)).second) {
    return false;
  }
  if (jobs_.size() == kFewRecords) {
    keys_.reserve(2 * kMaxRecords);  // clear() has given its memory back
  }
  AddJob(record.op == Op::kPut ? Want::kPut : Want::kEnd, record);
  return true;
}

void Injector::AddJob(Want want, const RecordView& record) {
  Job& job = jobs_.emplace_back();
  job.want = want;
  std::copy_n(record.key.begin(), HeldFlows::kKeySize, job.key.begin());
  Flow flow;
  const std::span<const std::byte> bytes = want == Want::kPut ? record.row : record.key;
  if (!DecodeRow(bytes, &flow) ||
      (want == Want::kPut && bytes.size() < HeldFlows::kKeySize + kReplyTupleSize)) {
    Refuse(job, &InjectorCounts::not_possible);
    return;
  }
  const bool tcp = flow.protocol == IpProtocol::kTcp;
  job.held = held_.Find(job.key);
  if (want == Want::kPut && tcp && ClosingState(flow.state) && job.held != nullptr) {
    job.want = Want::kEnd;
  }
  if (job.want != Want::kPut) {
    // A key has no translation, and a demotion does not need it.
    job.entry = CtFromFlow(flow);
    job.look = want == Want::kGiveUp || !tcp || traffic_here_;
    return;
  }
  job.entry = CtFromFlow(flow);
  job.entry.present |= kCtTimeout;
  job.own = own_ != 0 && record.origin == own_;
  job.entry.timeout = job.own ? limits_.own_timeout : limits_.standby_timeout;
  if (tcp && ClosingState(flow.state)) {
    job.entry.protocol_state = static_cast<std::uint8_t>(FlowState::kTimeWait);
    job.entry.tcp_orig.flags |= kTcpCloseInit;
    job.entry.timeout = limits_.closing_timeout;
  }
  job.translation = TranslationOf(record.row);
  job.look = job.held != nullptr && job.held->translation != job.translation;
}

void Injector::Refuse(Job& job, std::uint64_t InjectorCounts::*reason) {
  job.did = Did::kRefuse;
  job.look = false;
  ++(counts_.*reason);
  if (reason == &InjectorCounts::tuple_taken) {
    taken_.push_back(fmt::format("{}:{} -> {}:{} answered by {}:{} as {}:{}",
                                 job.entry.orig.src.ToString(), job.entry.orig.sport,
                                 job.entry.orig.dst.ToString(), job.entry.orig.dport,
                                 job.entry.reply.src.ToString(), job.entry.reply.sport,
                                 job.entry.reply.dst.ToString(), job.entry.reply.dport));
    if (taken_.size() > kRememberTaken) {
      taken_.pop_front();
    }
  }
}

// Rows that were put longest ago make room for the newest.
void Injector::PlanRoom() {
  std::size_t fresh = 0;
  for (const Job& job : jobs_) {
    fresh += job.want == Want::kPut && job.did == Did::kNothing && job.held == nullptr;
  }
  std::size_t over = held_.size() + fresh > limits_.rows ? held_.size() + fresh - limits_.rows : 0;
  for (std::size_t looks = held_.size(); over > 0 && looks > 0; --looks) {
    const HeldFlows::Key key = held_.Oldest()->key;
    held_.Touch(key);
    if (keys_.insert(held_.Hash(key)).second) {
      AddJob(Want::kGiveUp, {.op = Op::kErase, .row = {}, .key = key, .origin = 0, .version = {}});
      --over;
    }
  }
}

absl::Status Injector::Flush() {
  if (jobs_.empty()) {
    return absl::OkStatus();
  }
  jobs_.reserve(2 * kMaxRecords);
  PlanRoom();
  absl::Status status = Look();
  if (status.ok()) {
    status = WriteAll();
  }
  // Twice: what a repair meets may have changed since it was looked at.
  for (int round = 0; round < 2 && status.ok() && !failed_.empty(); ++round) {
    status = Resolve();
  }
  for (Job* job : failed_) {
    Refuse(*job, &InjectorCounts::not_possible);
  }
  failed_.clear();
  jobs_.clear();
  keys_.clear();
  return status;
}

absl::Status Injector::Look() {
  table_.Begin();
  for (Job& job : jobs_) {
    if (job.look) {
      job.request = table_.Get(CtHalf::kOrig, job.entry.orig, job.entry.zone);
    }
  }
  return table_.Exchange();
}

absl::Status Injector::WriteAll() {
  table_.Begin();
  // Room first, then in the order of the records.
  for (const bool giving_up : {true, false}) {
    for (Job& job : jobs_) {
      if ((job.want == Want::kGiveUp) == giving_up && job.did != Did::kRefuse) {
        Act(job, job.look ? table_.found(job.request) : nullptr);
      }
    }
  }
  if (absl::Status status = table_.Exchange(); !status.ok()) {
    return status;
  }
  for (Job& job : jobs_) {
    if (job.did != Did::kRefuse && job.did != Did::kNothing) {
      Settle(job, table_.error(job.request));
    }
  }
  return absl::OkStatus();
}

void Injector::Act(Job& job, const CtEntry* seen) {
  if (job.want != Want::kPut) {
    ActOnEnd(job, seen);
    return;
  }
  if (!job.look) {
    job.did = job.held != nullptr ? Did::kUpdate : Did::kCreate;
  } else if (seen == nullptr) {
    job.did = Did::kCreate;
  } else if (SameTranslation(*seen, job.entry)) {
    // The box's own row, back from the store: its entry lives by the kernel's own time-out.
    job.keep_timeout = job.own && Touched(*seen);
    job.did = Did::kUpdate;
  } else if (traffic_here_ && Touched(*seen) && !Closing(*seen)) {
    Refuse(job, &InjectorCounts::tuple_taken);
    return;
  } else {
    table_.Delete(seen->orig, seen->zone, seen->id);
    job.did = Did::kCreate;
  }
  Write(job);
}

void Injector::Write(Job& job) {
  const std::uint32_t what = kCtStatus | kCtMark | kCtProtocolState |
                             (job.keep_timeout ? 0 : static_cast<std::uint32_t>(kCtTimeout));
  job.request = job.did == Did::kCreate ? table_.Create(job.entry) : table_.Update(job.entry, what);
}

void Injector::ActOnEnd(Job& job, const CtEntry* seen) {
  job.did = Did::kNothing;
  if (job.look && seen == nullptr) {
    Forget(job);
    return;
  }
  const bool touched = seen != nullptr && Touched(*seen) && !Closing(*seen);
  if (touched && (job.want == Want::kGiveUp || traffic_here_)) {
    // The kernel's own from now on: traffic, or the lack of it, decides.
    counts_.ends_kept += job.want == Want::kEnd;
    Forget(job);
    return;
  }
  Forget(job);
  if (job.want == Want::kEnd && IsTcp(job.entry)) {
    if (seen != nullptr && Closing(*seen)) {
      return;
    }
    job.did = Did::kDemote;
    job.entry.present |= kCtTimeout | kCtProtocolState;
    job.entry.timeout = limits_.closing_timeout;
    job.entry.protocol_state = static_cast<std::uint8_t>(FlowState::kTimeWait);
    if (seen != nullptr) {
      job.entry.tcp_orig = seen->tcp_orig;
      job.entry.tcp_reply = seen->tcp_reply;
    }
    job.entry.tcp_orig.flags |= kTcpCloseInit | kTcpBeLiberal;
    job.entry.tcp_reply.flags |= kTcpBeLiberal;
    job.request = table_.Update(job.entry, kCtTimeout | kCtProtocolState);
    return;
  }
  job.did = Did::kDelete;
  job.request = table_.Delete(seen->orig, seen->zone, seen->id);
  counts_.given_up += job.want == Want::kGiveUp;
}

void Injector::Settle(Job& job, int error) {
  if (error == 0) {
    switch (job.did) {
      case Did::kCreate:
      case Did::kUpdate:
        ++(job.did == Did::kCreate ? counts_.created : counts_.updated);
        if (job.held != nullptr) {
          held_.Renew(*job.held);
        } else {
          job.held = held_.Touch(job.key);
        }
        if (job.held != nullptr) {
          job.held->translation = job.translation;
        }
        break;
      case Did::kDemote:
        ++counts_.demoted;
        break;
      case Did::kDelete:
        ++counts_.deleted;
        break;
      default:
        break;
    }
    return;
  }
  if (job.did == Did::kDemote || job.did == Did::kDelete) {
    return;  // ENOENT: it has ended by itself
  }
  if ((job.did == Did::kCreate && error == EEXIST) ||
      (job.did == Did::kUpdate && error == ENOENT)) {
    failed_.push_back(&job);
    return;
  }
  Forget(job);
  Refuse(job, error == ENOMEM || error == ENOSPC ? &InjectorCounts::table_full
                                                 : &InjectorCounts::not_possible);
}

void Injector::Forget(Job& job) {
  if (job.held != nullptr) {
    held_.Forget(job.key);
    job.held = nullptr;
  }
}

absl::Status Injector::Resolve() {
  std::vector<Job*> failed;
  failed.swap(failed_);
  table_.Begin();
  for (Job* job : failed) {
    Forget(*job);
    job->request = table_.Get(CtHalf::kOrig, job->entry.orig, job->entry.zone);
  }
  if (absl::Status status = table_.Exchange(); !status.ok()) {
    return status;
  }
  std::vector<std::optional<CtEntry>> seen;
  std::vector<Job*> blocked;
  for (Job* job : failed) {
    const CtEntry* found = table_.found(job->request);
    seen.push_back(found == nullptr ? std::nullopt : std::optional(*found));
    job->look = true;
    if (found == nullptr && job->did == Did::kCreate) {
      blocked.push_back(job);
    }
  }
  if (absl::Status status = FreeTuples(blocked); !status.ok()) {
    return status;
  }
  table_.Begin();
  for (std::size_t i = 0; i < failed.size(); ++i) {
    if (failed[i]->did != Did::kRefuse) {
      Act(*failed[i], seen[i].has_value() ? &*seen[i] : nullptr);
    }
  }
  if (absl::Status status = table_.Exchange(); !status.ok()) {
    return status;
  }
  for (Job* job : failed) {
    if (job->did != Did::kRefuse) {
      Settle(*job, table_.error(job->request));
    }
  }
  return absl::OkStatus();
}

// Their translated tuples are taken. No box has two flows behind one tuple, so the older of the two
// has ended there, though its end has not come yet (the engine holds back ends that come in
// bursts; a kernel gives the ports of a closing flow away at once). What has traffic here stays.
absl::Status Injector::FreeTuples(std::vector<Job*>& blocked) {
  if (blocked.empty()) {
    return absl::OkStatus();
  }
  table_.Begin();
  for (Job* job : blocked) {
    job->request = table_.Get(CtHalf::kReply, job->entry.reply, job->entry.zone);
  }
  if (absl::Status status = table_.Exchange(); !status.ok()) {
    return status;
  }
  std::vector<CtEntry> ended;
  for (Job* job : blocked) {
    const CtEntry* holder = table_.found(job->request);
    if (holder == nullptr) {
      continue;  // gone meanwhile
    }
    const bool open = !Closing(*holder) && (holder->status & (kIpsAssured | kIpsSeenReply)) != 0;
    if (open && (job->own || (traffic_here_ && Touched(*holder)))) {
      Refuse(*job, &InjectorCounts::tuple_taken);
    } else {
      ended.push_back(*holder);
    }
  }
  table_.Begin();
  for (const CtEntry& entry : ended) {
    HeldFlows::Key key;
    if (EncodeKey(FlowFromCt(entry, 0), key)) {
      held_.Forget(key);
    }
    table_.Delete(entry.orig, entry.zone, entry.id);
  }
  return table_.Exchange();
}

}  // namespace mimi::internal
