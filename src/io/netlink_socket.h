#ifndef MIMI_SRC_IO_NETLINK_SOCKET_H_
#define MIMI_SRC_IO_NETLINK_SOCKET_H_

// NetlinkSocket: one non-blocking netlink socket with buffers that last and batched reading.
//
//   auto socket = NetlinkSocket::Open({.receive_buffer = 32 << 20, .groups =
//   {NFNLGRP_CONNTRACK_NEW}}); … absl::StatusOr<std::size_t> count = socket->Receive();     // when
//   fd() is readable for (std::size_t i = 0; i < *count; ++i) { NetlinkReader
//   reader(socket->datagram(i)); … } if (socket->overruns() > seen) { … events were lost: resync …
//   }
//
// A socket belongs to the network namespace that the calling thread is in when it is opened
// (network_namespace.h), whatever the thread does later.
//
// Threads: the loop thread only.

#include <linux/filter.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/base/unique_fd.h"
#include "src/io/network_namespace.h"

namespace mimi {

struct NetlinkSocketOptions {
  int protocol = 12;  ///< NETLINK_NETFILTER
  /// Bytes; beyond net.core.rmem_max by SO_RCVBUFFORCE where the process may. See receive_buffer().
  std::size_t receive_buffer = std::size_t{8} << 20;
  std::size_t send_buffer = std::size_t{1} << 20;
  std::vector<std::uint32_t> groups{};  ///< multicast groups to join (NFNLGRP_*)
  std::size_t batch = 64;               ///< datagrams that one Receive() takes at most
  /// Bytes of the longest datagram. Events have less than 4 KiB, answers to dumps up to 32 KiB.
  std::size_t datagram_size = std::size_t{32} << 10;
};

class NetlinkSocket {
 public:
  /// Errors: FailedPrecondition (rights, or a kernel without this protocol: said by name),
  /// ResourceExhausted (descriptors).
  static absl::StatusOr<std::unique_ptr<NetlinkSocket>> Open(NetlinkSocketOptions options);
  /// The same in another network namespace.
  static absl::StatusOr<std::unique_ptr<NetlinkSocket>> OpenIn(const NetworkNamespace& inside,
                                                               NetlinkSocketOptions options);
  ~NetlinkSocket();

  int fd() const { return fd_.get(); }
  /// What events that this socket's requests cause carry as their port id.
  std::uint32_t port_id() const { return port_id_; }
  /// What the kernel really gave (it counts its own book-keeping, so a datagram takes more than its
  /// bytes).
  std::size_t receive_buffer() const { return receive_buffer_; }

  /// A classic BPF program that sees each datagram from the netlink header on; what it answers 0 to
  /// is never queued. (BPF loads are big-endian, so compare with htonl() of header fields.)
  absl::Status SetFilter(std::span<const sock_filter> program);

  /// One system call for all messages in `bytes`. Errors: ResourceExhausted (not now, nothing was
  /// taken), Unavailable.
  absl::Status Send(std::span<const std::byte> bytes);

  /// Takes what is there, up to `batch` datagrams, without waiting. 0: nothing was there. Call
  /// again until 0, or later: readiness is level-triggered. Datagrams that did not fit and overruns
  /// of the kernel's queue (ENOBUFS) are counted and skipped. Errors: Unavailable.
  absl::StatusOr<std::size_t> Receive();
  /// REQUIRES: i < what Receive() returned. Valid until the next Receive().
  std::span<const std::byte> datagram(std::size_t i) const {
    return {buffer_.get() + i * datagram_size_, vectors_[i].msg_len};
  }
  /// How often something was lost so far; only grows. It does not say how much.
  std::uint64_t overruns() const { return overruns_; }

 private:
  NetlinkSocket() = default;
  absl::Status Configure(const NetlinkSocketOptions& options);

  UniqueFd fd_;
  std::uint32_t port_id_ = 0;
  std::size_t receive_buffer_ = 0;
  std::size_t datagram_size_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> vectors_;
  std::uint64_t overruns_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_IO_NETLINK_SOCKET_H_
