#ifndef MIMI_SRC_CLI_CONTROL_CLIENT_H_
#define MIMI_SRC_CLI_CONTROL_CLIENT_H_

// ControlClient: the other end of the control socket, for commands: one question, one answer, and
// it waits.
//
// Threads: one at a time.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/base/unique_fd.h"
#include "src/state/document.h"

namespace mimi::cli {

class ControlClient {
 public:
  /// Errors: Unavailable (nobody listens), FailedPrecondition (rights).
  static absl::StatusOr<ControlClient> Connect(const std::string& path);

  /// One line of an answer that is not its last: "event" or "row", and the value as JSON.
  using PartCallback = std::function<void(std::string_view member, const std::string& json)>;
  /// `members`: what follows {"id":1, in the request. Answers with the result as JSON, or with the
  /// error that the process answered.
  absl::StatusOr<std::string> Ask(std::string_view members, const PartCallback& part = {});

  const std::string& path() const { return path_; }

 private:
  ControlClient(UniqueFd socket, std::string path)
      : socket_(std::move(socket)), path_(std::move(path)) {}
  absl::StatusOr<std::string> ReadLine();

  UniqueFd socket_;
  std::string path_;
  std::string unread_;
};

/// Which process a command wants.
enum class Wanted {
  kAny,      ///< the managing one, if there is one
  kManager,  ///< the acting manager
  kSink,     ///< one that runs the minion's role, or else the driver's: it has the tables
};

/// Connects to a process of `pair`, by an explicit socket or by what is in the runtime directory.
/// Errors: Unavailable that says where it looked.
absl::StatusOr<ControlClient> FindProcess(const std::string& pair, const std::string& socket,
                                          Wanted wanted);

/// JSON of a process of ours: larger than what strangers may send.
absl::StatusOr<internal::Node> ParseAnswer(std::string_view json);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_CONTROL_CLIENT_H_
