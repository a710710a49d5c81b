#ifndef MIMI_SRC_IO_NETWORK_NAMESPACE_H_
#define MIMI_SRC_IO_NETWORK_NAMESPACE_H_

// NetworkNamespace: doing something in another network namespace, and running programs there.
//
//   NetworkNamespace box = *NetworkNamespace::Open("edge");     // /run/netns/edge
//   box.Do([&] { socket = NetlinkSocket::Open({}); });          // a socket stays where it was
//   opened absl::StatusOr<std::string> text = box.RunProgram({"nft", "list", "ruleset"}, "");
//
// A namespace belongs to a thread, and a caller's thread is not ours to move: what is to be done
// inside runs on a thread that lives as long as the call. For the process's own namespace it runs
// on the caller's.
//
// Threads: any. Do() and RunProgram() block, the latter for ten seconds at most.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/base/local_addresses.h"
#include "src/base/unique_fd.h"

namespace mimi {

class NetworkNamespace {
 public:
  /// `name`: under /run/netns, an absolute path (/proc/PID/ns/net), or empty for the process's own.
  /// Errors: NotFound.
  static absl::StatusOr<NetworkNamespace> Open(const std::string& name);

  /// Errors: FailedPrecondition (no right to enter).
  absl::Status Do(const std::function<void()>& work) const;

  /// What the program printed. Errors: FailedPrecondition (it is not there, or failed: its words).
  absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& command,
                                         const std::string& input) const;

  absl::StatusOr<LocalAddresses> Addresses() const;

  /// Identifies the namespace while it exists.
  std::uint64_t id() const { return id_; }
  /// The namespace to open sockets in; -1: the process's own.
  int fd() const { return fd_ == nullptr ? -1 : fd_->get(); }

 private:
  std::shared_ptr<UniqueFd> fd_;  // of another namespace than the process's
  std::uint64_t id_ = 0;
};

/// Of /proc/sys/net/netfilter, in the calling thread's namespace. Errors: NotFound,
/// FailedPrecondition.
absl::StatusOr<std::string> ReadSysctl(const std::string& name);
absl::Status WriteSysctl(const std::string& name, const std::string& value);
/// The longest time-out of all protocols, in seconds, 20 days at most.
absl::StatusOr<std::uint32_t> LongestConntrackTimeout(const NetworkNamespace& inside);

}  // namespace mimi

#endif  // MIMI_SRC_IO_NETWORK_NAMESPACE_H_
