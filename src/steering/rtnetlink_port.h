#ifndef MIMI_SRC_STEERING_RTNETLINK_PORT_H_
#define MIMI_SRC_STEERING_RTNETLINK_PORT_H_

// RtnetlinkPort: asking and changing the routes and addresses of one network namespace.
//
//   std::unique_ptr<RtnetlinkPort> port = *RtnetlinkPort::Open("", loop);
//   NetlinkWriter& changes = port->NewRequest();
//   AppendRoute(changes, route, port->NextSequence());
//   absl::StatusOr<std::vector<RtAnswer>> answers = port->Change();      // at once
//   port->Dump([](NetlinkWriter& writer, std::uint32_t sequence) { AppendDumpRoutes(…); },
//              [](const NetlinkMessage& message) { … }, [](absl::Status end) { … });
//
// The kernel does a change, and writes its answer, before the sending system call returns: changing
// waits for nothing but the kernel's own lock of network configuration (rtnl). All messages of one
// Change() go in one call, so that also a process that is killed has sent all or none. A dump may
// be long (a full Internet table: a million routes), so it is read in slices on the loop.
//
// Threads: the loop thread only. Lifetime: the loop outlives it; its end drops what was asked.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/types.h"

#include "src/base/unique_fd.h"
#include "src/io/netlink_socket.h"
#include "src/io/network_namespace.h"
#include "src/wire/netlink.h"

namespace mimi::internal {

/// The kernel's answer to one change.
struct RtAnswer {
  int error = 0;  ///< errno; 0: done
  std::string text;

  /// Rights and options FailedPrecondition, the rest Unavailable; `what` in front.
  absl::Status ToStatus(std::string_view what) const;
};

/// An interface as it is now.
struct Link {
  std::uint32_t index = 0;
  bool up = false;
  std::optional<Mac> mac;  ///< of an Ethernet
};

class RtnetlinkPort {
 public:
  using Request = std::function<void(NetlinkWriter&, std::uint32_t sequence)>;
  using Visitor = std::function<void(const NetlinkMessage&)>;
  using StatusCallback = std::function<void(absl::Status)>;

  /// Errors: NotFound (no such namespace), FailedPrecondition (rights).
  static absl::StatusOr<std::unique_ptr<RtnetlinkPort>> Open(const std::string& network_namespace,
                                                             Loop& loop);
  ~RtnetlinkPort();
  RtnetlinkPort(const RtnetlinkPort&) = delete;
  RtnetlinkPort& operator=(const RtnetlinkPort&) = delete;

  const NetworkNamespace& inside() const { return inside_; }
  /// Errors: FailedPrecondition (no such interface).
  absl::StatusOr<Link> FindLink(const std::string& name) const;

  /// An empty buffer for the next Change() or Get().
  NetlinkWriter& NewRequest() {
    writer_.Clear();
    first_ = sequence_ + 1;
    return writer_;
  }
  NetlinkWriter& request() { return writer_; }
  std::uint32_t NextSequence() { return ++sequence_; }
  /// Sends the requests, each with NLM_F_ACK; an answer for each, in order. Errors: Unavailable.
  absl::StatusOr<std::vector<RtAnswer>> Change();
  /// Sends one request that is answered with one message. Its error, if any, is the answer.
  absl::StatusOr<RtAnswer> Get(const Visitor& visit);

  /// Dumps run one after the other; `visit` and `done` never inside the call. Errors: Unavailable,
  /// Aborted (the table changed while it was read: ask again).
  void Dump(Request request, Visitor visit, StatusCallback done);

 private:
  struct Waiting {
    Request request;
    Visitor visit;
    StatusCallback done;
  };

  RtnetlinkPort(NetworkNamespace inside, Loop& loop) : inside_(std::move(inside)), loop_(loop) {}
  absl::Status OpenSockets();
  void BeginDump();
  void OnDump();
  /// True: the dump has ended, with `end`.
  bool ReadSlice(absl::Status* end);
  absl::Status EndOfDump() const;
  void EndDump(const absl::Status& end);

  NetworkNamespace inside_;
  Loop& loop_;
  std::unique_ptr<NetlinkSocket> changes_, dumps_;
  UniqueFd names_;  // a socket to ask for interfaces by
  NetlinkWriter writer_{4096};
  std::uint32_t sequence_ = 0, first_ = 0;
  std::deque<Waiting> waiting_;  // the first one is under way
  bool dumping_ = false;
  std::uint32_t dump_sequence_ = 0;
  std::uint64_t seen_overruns_ = 0;
  bool interrupted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STEERING_RTNETLINK_PORT_H_
