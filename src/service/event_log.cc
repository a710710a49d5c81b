#include "src/service/event_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/service/status_json.h"

namespace mimi::service {

absl::Status EventLog::OpenFile(const std::string& path) {
  UniqueFd file(open(path.c_str(),
                     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
  if (!file.valid()) {
    return Error(absl::StatusCode::kFailedPrecondition, "event log {}: {}", path,
                 std::strerror(errno));
  }
  path_ = path;
  file_ = std::move(file);
  failed_ = false;
  return absl::OkStatus();
}

void EventLog::Write(const std::string& json) {
  if (!file_.valid()) {
    return;
  }
  const std::string line = json + "\n";
  const ssize_t n = write(file_.get(), line.data(), line.size());
  const bool whole = n == static_cast<ssize_t>(line.size());
  if (!whole && !std::exchange(failed_, true) && log_) {
    log_(LogLevel::kError, fmt::format("event log {}: {}", path_,
                                       n < 0 ? std::strerror(errno) : "only a part was written"));
  }
  failed_ = !whole;
}

void EventLog::Add(const PairEvent& event) {
  std::string json = EventToJson(event, pair_);
  Write(json);
  // A listener may take itself or others off the list.
  std::vector<std::uint64_t> ids;
  for (const auto& [id, listener] : listeners_) {
    ids.push_back(id);
  }
  for (const std::uint64_t id : ids) {
    if (const auto found = listeners_.find(id); found != listeners_.end()) {
      found->second(json);
    }
  }
  last_.push_back(std::move(json));
  if (last_.size() > kRemembered) {
    last_.pop_front();
  }
}

std::uint64_t EventLog::Listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace mimi::service
