#ifndef MIMI_TESTS_FAILOVER_ECHO_LOAD_H_
#define MIMI_TESTS_FAILOVER_ECHO_LOAD_H_

// Live TCP connections through a pair of boxes, on a thread of its own: each in its turn sends the
// time, and the server sends it back. So an answer tells when its question was sent.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "src/base/unique_fd.h"
#include "tests/support/net_namespace.h"

namespace mimi::testing {

class EchoLoad {
 public:
  using Clock = std::chrono::steady_clock;

  EchoLoad(const NetNamespace& client, const NetNamespace& server, std::size_t connections)
      : lines_(connections), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    listener_ = Open(server);
    const int on = 1;
    setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const sockaddr_in at = At("10.2.0.2");
    if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0 ||
        listen(listener_.get(), 4096) != 0) {
      throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
    }
    Add(listener_.get(), kListener);
    const sockaddr_in to = At("203.0.113.1");
    for (std::size_t i = 0; i < connections; ++i) {
      lines_[i].fd = Open(client);
      setsockopt(lines_[i].fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      (void)connect(lines_[i].fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to));
      Add(lines_[i].fd.get(), i);
    }
    thread_ = std::thread([this] { Work(); });
  }
  ~EchoLoad() {
    stop_ = true;
    thread_.join();
  }

  /// Forgets the first answer; the next one whose question is sent after `at` is it.
  void WaitAfter(Clock::time_point at) {
    first_ = 0;
    after_ = at.time_since_epoch().count();
  }
  bool answered() const { return first_ != 0; }
  Clock::time_point first() const { return Clock::time_point(Clock::duration(first_.load())); }

  /// Connections that have not had an answer to a question from after `at`.
  std::size_t SilentSince(Clock::time_point at) const {
    std::size_t silent = 0;
    for (const Line& line : lines_) {
      silent += line.answered <= at.time_since_epoch().count() ? std::size_t{1} : 0;
    }
    return silent;
  }
  /// Connections that were reset or closed.
  std::size_t broken() const { return broken_; }

 private:
  static constexpr std::uint64_t kListener = std::uint64_t{1} << 40;
  static constexpr std::uint64_t kServed = std::uint64_t{1} << 41;
  static constexpr auto kGap = std::chrono::microseconds(400);

  struct Line {
    UniqueFd fd;
    std::array<char, sizeof(std::int64_t)> part{};
    std::size_t have = 0;
    std::atomic<std::int64_t> answered{0};  // the newest question that was
  };

  static UniqueFd Open(const NetNamespace& where) {
    return UniqueFd(where.Inside(
        [] { return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }));
  }
  static sockaddr_in At(const char* ip) {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(80);
    inet_pton(AF_INET, ip, &at.sin_addr);
    return at;
  }
  void Add(int fd, std::uint64_t name) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = name;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void Work() {
    std::size_t turn = 0;
    Clock::time_point next = Clock::now();
    while (!stop_) {
      if (Clock::now() >= next) {
        next = Clock::now() + kGap;
        const std::int64_t now = Clock::now().time_since_epoch().count();
        (void)send(lines_[turn].fd.get(), &now, sizeof(now), MSG_NOSIGNAL);
        turn = (turn + 1) % lines_.size();
      }
      std::array<epoll_event, 64> events;
      const auto left = next - Clock::now();
      timespec wait = {.tv_sec = 0, .tv_nsec = left.count() > 0 ? left.count() : 0};
      const int count = epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     &wait, nullptr);
      for (int i = 0; i < count; ++i) {
        Serve(events[static_cast<std::size_t>(i)].data.u64);
      }
    }
  }
  void Serve(std::uint64_t name) {
    if (name == kListener) {
      UniqueFd line(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (line.valid()) {
        Add(line.get(), kServed | served_.size());
        served_.push_back(std::move(line));
      }
    } else if ((name & kServed) != 0) {
      const int fd = served_[name & ~kServed].get();
      std::array<char, 4096> bytes;
      const ssize_t size = recv(fd, bytes.data(), bytes.size(), 0);
      if (size > 0) {
        (void)send(fd, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
      } else {
        Lose(fd, size);
      }
    } else {
      Read(lines_[name]);
    }
  }
  void Lose(int fd, ssize_t size) {
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
      ++broken_;
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
  }
  void Read(Line& line) {
    std::array<char, 4096> bytes;
    const ssize_t size = recv(line.fd.get(), bytes.data(), bytes.size(), 0);
    if (size <= 0) {
      Lose(line.fd.get(), size);
      return;
    }
    for (ssize_t i = 0; i < size; ++i) {
      line.part[line.have++] = bytes[static_cast<std::size_t>(i)];
      if (line.have == line.part.size()) {
        line.have = 0;
        std::int64_t sent = 0;
        std::memcpy(&sent, line.part.data(), sizeof(sent));
        line.answered = sent;
        if (first_ == 0 && sent > after_) {
          first_ = Clock::now().time_since_epoch().count();
        }
      }
    }
  }

  std::vector<Line> lines_;
  UniqueFd epoll_;
  UniqueFd listener_;
  std::vector<UniqueFd> served_;
  std::atomic<std::int64_t> first_{0}, after_{0};
  std::atomic<std::size_t> broken_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_FAILOVER_ECHO_LOAD_H_
