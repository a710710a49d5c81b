#ifndef MIMI_BENCH_STORE_PRIVATE_REDIS_H_
#define MIMI_BENCH_STORE_PRIVATE_REDIS_H_

// A redis-server of the benchmark's own, on a socket in a directory of its own, with the
// configuration that it has by itself but for persistence, which is off. Gone with this object, and
// with the benchmark.
//
// Threads: one.

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "src/base/unique_fd.h"

namespace mimi::bench {

class PrivateRedis {
 public:
  PrivateRedis() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mimi-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      std::abort();
    }
    path_ = pattern;
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket().c_str(),
             "--save", "", "--dir", path_.c_str(), "--logfile", (path_ + "/log").c_str(), nullptr);
      _exit(127);
    }
    for (int i = 0; i < 1000 && Ask("PING").empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ~PrivateRedis() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  static bool IsInstalled() { return std::system("command -v redis-server >/dev/null") == 0; }

  std::string socket() const { return path_ + "/redis"; }

  /// One command in words, by a connection of its own; the answer as it came, up to 64 KiB.
  std::string Ask(std::string_view command) const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, socket().c_str(), socket().size());
    const timeval patience = {10, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::string line = std::string(command) + "\r\n";
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
      return {};
    }
    std::string answer(std::size_t{64} << 10, '\0');
    const ssize_t got = recv(fd.get(), answer.data(), answer.size(), 0);
    answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return answer;
  }

  /// An integer of the answer: behind `mark`, or behind the last line break before it.
  double Number(std::string_view command, std::string_view mark) const {
    const std::string answer = Ask(command);
    const std::size_t at = answer.find(mark);
    return at == std::string::npos ? 0 : std::atof(answer.c_str() + at + mark.size());
  }
  double used_memory() const { return Number("INFO memory", "used_memory:"); }

 private:
  std::string path_;
  pid_t pid_ = 0;
};

}  // namespace mimi::bench

#endif  // MIMI_BENCH_STORE_PRIVATE_REDIS_H_
