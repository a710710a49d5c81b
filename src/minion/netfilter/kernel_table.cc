#include "src/minion/netfilter/kernel_table.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kSmallPart = 16;

}  // namespace

absl::StatusOr<std::unique_ptr<KernelTable>> KernelTable::Open(const NetworkNamespace& inside) {
  std::unique_ptr<KernelTable> table(new KernelTable);
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> socket = NetlinkSocket::OpenIn(inside, {});
  if (!socket.ok()) {
    return socket.status();
  }
  table->socket_ = *std::move(socket);
  return table;
}

void KernelTable::Begin() {
  first_sequence_ += static_cast<std::uint32_t>(ends_.size()) + 1;
  writer_.Clear();
  ends_.clear();
}

std::size_t KernelTable::Added() {
  ends_.push_back(writer_.size());
  return ends_.size() - 1;
}

std::size_t KernelTable::Create(const CtEntry& entry) {
  AppendCtCreate(writer_, entry, NextSequence());
  return Added();
}

std::size_t KernelTable::Update(const CtEntry& entry, std::uint32_t what) {
  AppendCtUpdate(writer_, entry, what, NextSequence());
  return Added();
}

std::size_t KernelTable::Delete(const CtTuple& orig, std::uint16_t zone,
                                std::optional<std::uint32_t> id) {
  AppendCtDelete(writer_, orig, zone, id, NextSequence());
  return Added();
}

std::size_t KernelTable::Get(CtHalf half, const CtTuple& tuple, std::uint16_t zone) {
  AppendCtGet(writer_, half, tuple, zone, NextSequence());
  return Added();
}

absl::Status KernelTable::Exchange() {
  errors_.assign(ends_.size(), 0);
  found_at_.assign(ends_.size(), -1);
  found_.clear();
  if (ends_.empty()) {
    return absl::OkStatus();
  }
  // The empty last message.
  writer_.Begin(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, last_sequence());
  writer_.End();
  const absl::StatusOr<bool> whole = SendAndRead(writer_.bytes());
  if (!whole.ok() || *whole) {
    return whole.status();
  }
  ++repeated_;
  for (std::size_t begin = 0; begin < ends_.size(); begin += kSmallPart) {
    const absl::StatusOr<bool> part =
        ExchangePart(begin, std::min(begin + kSmallPart, ends_.size()));
    if (!part.ok()) {
      return part.status();
    }
    if (!*part) {
      return Error(absl::StatusCode::kUnavailable,
                   "conntrack: the kernel's answers to {} requests were lost", kSmallPart);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> KernelTable::ExchangePart(std::size_t begin, std::size_t end) {
  const std::span<const std::byte> all = writer_.bytes();
  const std::size_t from = begin == 0 ? 0 : ends_[begin - 1];
  const auto requests = all.subspan(from, ends_[end - 1] - from);
  const auto mark = all.subspan(ends_.back());
  part_.assign(requests.begin(), requests.end());
  part_.insert(part_.end(), mark.begin(), mark.end());
  return SendAndRead(part_);
}

absl::StatusOr<bool> KernelTable::SendAndRead(std::span<const std::byte> requests) {
  if (absl::Status status = socket_->Send(requests); !status.ok()) {
    return Error(absl::StatusCode::kUnavailable, "conntrack: {}", Message(status));
  }
  return ReadAnswers(last_sequence());
}

absl::StatusOr<bool> KernelTable::ReadAnswers(std::uint32_t last) {
  const std::uint64_t overruns = socket_->overruns();
  for (;;) {
    const absl::StatusOr<std::size_t> count = socket_->Receive();
    if (!count.ok()) {
      return count.status();
    }
    bool done = false;
    for (std::size_t i = 0; i < *count; ++i) {
      NetlinkReader reader(socket_->datagram(i));
      for (NetlinkMessage message; reader.Next(&message);) {
        done = Take(message, last) || done;
      }
    }
    if (done) {
      return socket_->overruns() == overruns;
    }
    if (*count == 0) {
      return false;
    }
  }
}

// True: the last answer.
bool KernelTable::Take(const NetlinkMessage& message, std::uint32_t last) {
  if (message.sequence == last) {
    return true;
  }
  const std::size_t request = message.sequence - first_sequence_;
  if (request >= ends_.size()) {
    return false;  // of an exchange before
  }
  NetlinkError error;
  if (ParseNetlinkError(message, &error)) {
    errors_[request] = error.error;
    return false;
  }
  CtMessage answer;
  if (ParseCtMessage(message, &answer) == CtRefusal::kNone) {
    found_at_[request] = static_cast<int>(found_.size());
    found_.push_back(answer.entry);
  }
  return false;
}

}  // namespace mimi::internal
