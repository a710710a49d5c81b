#include "src/service/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "src/base/unique_fd.h"

namespace mimi::service {
namespace {

std::string_view Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

std::uint64_t NumberOf(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

ServiceNotify::ServiceNotify(Loop& loop, std::function<std::string()> status)
    : loop_(loop),
      status_(std::move(status)),
      socket_(Environment("NOTIFY_SOCKET")),
      every_(std::chrono::seconds(5)) {
  const std::uint64_t watchdog = NumberOf(Environment("WATCHDOG_USEC"));
  const std::string_view pid = Environment("WATCHDOG_PID");
  // Half of it, as sd_watchdog_enabled(3) advises.
  if (watchdog > 0 && (pid.empty() || NumberOf(pid) == static_cast<std::uint64_t>(getpid()))) {
    watchdog_ = true;
    every_ = std::min<Duration>(every_, std::chrono::microseconds(watchdog / 2));
  }
}

ServiceNotify::~ServiceNotify() {
  loop_.Cancel(timer_);
}

void ServiceNotify::Send(std::string_view text) const {
  sockaddr_un address{};
  if (socket_.size() < 2 || socket_.size() >= sizeof address.sun_path) {
    return;
  }
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, socket_.size());
  if (address.sun_path[0] == '@') {
    address.sun_path[0] = '\0';  // the abstract namespace
  }
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* const bytes = &address;
  // Nobody to tell that it failed; the manager notices silence.
  (void)sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL,
               static_cast<const sockaddr*>(bytes),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size()));
}

void ServiceNotify::Ready() {
  last_ = status_();
  Send(fmt::format("READY=1\nSTATUS={}", last_));
  if (timer_ == 0) {
    Beat();
  }
}

void ServiceNotify::Reloading() {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(loop_.now().time_since_epoch());
  Send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.count()));
}

void ServiceNotify::Stopping() {
  Send("STOPPING=1");
}

void ServiceNotify::Beat() {
  if (socket_.empty()) {
    return;
  }
  std::string status = status_();
  std::string text = watchdog_ ? "WATCHDOG=1\n" : "";
  if (status != last_) {
    text += "STATUS=" + status;
    last_ = std::move(status);
  }
  if (!text.empty()) {
    Send(text);
  }
  timer_ = loop_.At(loop_.now() + every_, [this] { Beat(); });
}

}  // namespace mimi::service
