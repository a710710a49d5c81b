#ifndef MIMI_SRC_SERVICE_EVENT_LOG_H_
#define MIMI_SRC_SERVICE_EVENT_LOG_H_

// EventLog: what happened to the pair, for machines: one JSON object per line (status_json.h,
// EventToJson), in a file, in memory for the last few, and for who listens.
//
// Threads: the loop thread only.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"

#include "mimi/engine.h"
#include "mimi/log.h"

#include "src/base/unique_fd.h"

namespace mimi::service {

class EventLog {
 public:
  static constexpr std::size_t kRemembered = 256;
  using Listener = std::function<void(const std::string& json)>;

  EventLog(std::string pair, LogCallback log) : pair_(std::move(pair)), log_(std::move(log)) {}

  /// Appends to this file from now on (made with 0640). Again, after the file was rotated.
  /// Errors: FailedPrecondition.
  absl::Status OpenFile(const std::string& path);
  absl::Status Reopen() { return path_.empty() ? absl::OkStatus() : OpenFile(path_); }

  void Add(const PairEvent& event);

  /// Oldest first, without newlines.
  const std::deque<std::string>& last() const { return last_; }
  std::uint64_t Listen(Listener listener);
  void Forget(std::uint64_t listener) { listeners_.erase(listener); }

 private:
  void Write(const std::string& json);

  std::string pair_;
  LogCallback log_;
  std::string path_;
  UniqueFd file_;
  bool failed_ = false;  ///< said so already
  std::deque<std::string> last_;
  std::map<std::uint64_t, Listener> listeners_;
  std::uint64_t next_listener_ = 1;
};

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_EVENT_LOG_H_
