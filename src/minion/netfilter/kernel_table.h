#ifndef MIMI_SRC_MINION_NETFILTER_KERNEL_TABLE_H_
#define MIMI_SRC_MINION_NETFILTER_KERNEL_TABLE_H_

// KernelTable: requests to the kernel's connection tracking table, many at a time, and what it
// answered to each.
//
//   table.Begin();
//   const std::size_t made = table.Create(entry);
//   const std::size_t seen = table.Get(CtHalf::kOrig, tuple, zone);
//   absl::Status status = table.Exchange();
//   if (table.error(made) == EEXIST) { … }
//   if (table.found(seen) != nullptr) { … }
//
// The kernel works on netlink requests inside sendmsg(), so all answers are there when it returns.
// Only failures are answered, but for the last message, an empty one with NLM_F_ACK: its answer
// says that all others have been. When answers did not fit into the socket, Exchange() sends the
// requests again in small parts; all of them may be repeated.
//
// Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/io/netlink_socket.h"
#include "src/io/network_namespace.h"
#include "src/wire/ctnetlink.h"

namespace mimi::internal {

class KernelTable {
 public:
  static absl::StatusOr<std::unique_ptr<KernelTable>> Open(const NetworkNamespace& inside);

  std::uint32_t port_id() const { return socket_->port_id(); }

  void Begin();
  std::size_t Create(const CtEntry& entry);
  std::size_t Update(const CtEntry& entry, std::uint32_t what);
  std::size_t Delete(const CtTuple& orig, std::uint16_t zone, std::optional<std::uint32_t> id);
  std::size_t Get(CtHalf half, const CtTuple& tuple, std::uint16_t zone);
  std::size_t bytes() const { return writer_.size(); }
  std::size_t size() const { return ends_.size(); }

  /// Errors: Unavailable.
  absl::Status Exchange();
  /// A positive errno; 0: done.
  int error(std::size_t request) const { return errors_[request]; }
  /// What a get found; nullptr: nothing. Valid until the next Exchange().
  const CtEntry* found(std::size_t request) const {
    return found_at_[request] < 0 ? nullptr : &found_[static_cast<std::size_t>(found_at_[request])];
  }
  std::uint64_t repeated() const { return repeated_; }

 private:
  KernelTable() = default;
  std::uint32_t NextSequence() const {
    return first_sequence_ + static_cast<std::uint32_t>(ends_.size());
  }
  std::size_t Added();
  /// False: answers were lost.
  absl::StatusOr<bool> ExchangePart(std::size_t begin, std::size_t end);
  absl::StatusOr<bool> SendAndRead(std::span<const std::byte> requests);
  absl::StatusOr<bool> ReadAnswers(std::uint32_t last);
  std::uint32_t last_sequence() const { return NextSequence(); }
  bool Take(const NetlinkMessage& message, std::uint32_t last);

  std::unique_ptr<NetlinkSocket> socket_;
  NetlinkWriter writer_;
  std::vector<std::byte> part_;
  std::vector<std::size_t> ends_;  // of each request, in the writer's bytes
  std::vector<int> errors_;
  std::vector<int> found_at_;
  std::vector<CtEntry> found_;
  std::uint32_t first_sequence_ = 1;
  std::uint64_t repeated_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_KERNEL_TABLE_H_
