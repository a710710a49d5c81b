#ifndef MIMI_TESTS_STORE_REDIS_PROXY_H_
#define MIMI_TESTS_STORE_REDIS_PROXY_H_

// A line to a redis-server that is slow, hangs, or is cut in the midst of an answer.
//
//     RedisProxy proxy(server.socket(), directory.Join("proxy"), seed);
//     options.addresses = {{.path = proxy.socket()}};
//     proxy.Set(RedisProxy::Fault::kCut);
//
// Threads: the owner's; it runs on one of its own. Lifetime: the server outlives it.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <list>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/unique_fd.h"

namespace mimi {

class RedisProxy {
 public:
  enum class Fault : std::uint8_t {
    kNone,
    kSlow,  ///< 64 bytes of an answer each 100 µs
    kHang,  ///< nothing passes, in either direction; nothing is lost
    kCut,   ///< each connection ends after 0 to 255 bytes of what the server says
  };

  RedisProxy(std::string server, std::string socket, std::uint32_t seed)
      : server_(std::move(server)), socket_(std::move(socket)), random_(seed) {
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un name = NameOf(socket_);
    REQUIRE(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(listen(listener_.get(), 16) == 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~RedisProxy() {
    stop_ = true;
    thread_.join();
  }
  RedisProxy(const RedisProxy&) = delete;
  RedisProxy& operator=(const RedisProxy&) = delete;

  const std::string& socket() const { return socket_; }
  void Set(Fault fault) { fault_ = fault; }
  int cuts() const { return cuts_; }

 private:
  struct Line {
    UniqueFd client;
    UniqueFd server;
    std::size_t left = 0;  // kCut: bytes of answers
    bool over = false;
  };

  static sockaddr_un NameOf(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    return name;
  }

  void Run() {
    while (!stop_) {
      std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
      for (const Line& line : lines_) {
        const short events = fault_ == Fault::kHang ? 0 : POLLIN;
        fds.push_back({line.client.get(), events, 0});
        fds.push_back({line.server.get(), events, 0});
      }
      poll(fds.data(), fds.size(), 2);
      std::size_t at = 1;
      for (Line& line : lines_) {
        if (fault_ != Fault::kHang) {
          line.over = (fds[at].revents != 0 && !Question(line)) ||
                      (fds[at + 1].revents != 0 && !Answer(line));
        }
        at += 2;
      }
      lines_.remove_if([](const Line& line) { return line.over; });
      if (fds[0].revents != 0) {
        Accept();
      }
    }
  }
  void Accept() {
    Line line;
    line.client = UniqueFd(accept(listener_.get(), nullptr, nullptr));
    line.server = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    line.left = random_() % 256;
    const sockaddr_un name = NameOf(server_);
    if (connect(line.server.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) {
      lines_.push_back(std::move(line));
    }
  }
  static bool Pass(int to, const char* bytes, std::size_t size) {
    while (size > 0) {
      const ssize_t put = send(to, bytes, size, MSG_NOSIGNAL);
      if (put <= 0) {
        return false;
      }
      bytes += put;
      size -= static_cast<std::size_t>(put);
    }
    return true;
  }
  bool Question(Line& line) {
    const ssize_t got = recv(line.client.get(), block_.data(), block_.size(), 0);
    return got > 0 && Pass(line.server.get(), block_.data(), static_cast<std::size_t>(got));
  }
  bool Answer(Line& line) {
    const Fault fault = fault_;
    const std::size_t most = fault == Fault::kSlow ? 64 : block_.size();
    const ssize_t got = recv(line.server.get(), block_.data(), most, 0);
    if (got <= 0) {
      return false;
    }
    const auto size = static_cast<std::size_t>(got);
    if (fault == Fault::kSlow) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    if (fault == Fault::kCut && size > line.left) {
      ++cuts_;
      Pass(line.client.get(), block_.data(), line.left);
      return false;
    }
    line.left -= std::min(line.left, fault == Fault::kCut ? size : 0);
    return Pass(line.client.get(), block_.data(), size);
  }

  std::string server_;
  std::string socket_;
  std::mt19937 random_;
  UniqueFd listener_;
  std::list<Line> lines_;
  std::array<char, 16384> block_;
  std::atomic<Fault> fault_ = Fault::kNone;
  std::atomic<int> cuts_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace mimi

#endif  // MIMI_TESTS_STORE_REDIS_PROXY_H_
