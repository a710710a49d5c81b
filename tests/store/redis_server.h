#ifndef MIMI_TESTS_STORE_REDIS_SERVER_H_
#define MIMI_TESTS_STORE_REDIS_SERVER_H_

// A redis-server of the test's own, on a socket in a directory of its own; gone with this object,
// and with the test's process.
//
// Threads: one.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/unique_fd.h"
#include "tests/store/temporary_directory.h"

namespace mimi {

class RedisServer {
 public:
  // `arguments`: more of redis-server's, "--requirepass", "x", ….
  explicit RedisServer(std::vector<std::string> arguments = {}) : arguments_(std::move(arguments)) {
    Start();
  }
  ~RedisServer() { Kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  static bool IsInstalled() { return std::system("command -v redis-server >/dev/null") == 0; }

  std::string socket() const { return directory_.Join("redis"); }
  std::string directory() const { return directory_.Join(""); }
  pid_t pid() const { return pid_; }

  void Start() {
    std::vector<std::string> all = {"redis-server",
                                    "--port",
                                    "0",
                                    "--unixsocket",
                                    socket(),
                                    "--dir",
                                    directory(),
                                    "--save",
                                    "",
                                    "--logfile",
                                    directory() + "log",
                                    "--daemonize",
                                    "no"};
    all.insert(all.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& argument : all) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!Answers()) {
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "redis-server does not answer");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  // As an operator would.
  void Stop() { End(SIGTERM); }
  void Kill() { End(SIGKILL); }
  void Signal(int signal) const { kill(pid_, signal); }

  // One command in words, by a connection of its own; the answer as it came. "" when there is none
  // within a second.
  std::string Run(std::string_view command) const {
    const UniqueFd fd = Connect();
    std::string text(command);
    text += "\r\n";
    if (!fd.valid() || send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) {
      return {};
    }
    char answer[65536];
    const ssize_t got = recv(fd.get(), answer, sizeof answer, 0);
    return got > 0 ? std::string(answer, static_cast<std::size_t>(got)) : std::string();
  }

 private:
  UniqueFd Connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = socket();
    std::memcpy(name.sun_path, path.data(), path.size());
    const timeval second = {1, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
      return UniqueFd();
    }
    return fd;
  }
  // Also what says that a password is missing is an answer; what is still loading is none.
  bool Answers() const {
    const std::string answer = Run("PING");
    return !answer.empty() && !answer.starts_with("-LOADING");
  }
  void End(int signal) {
    if (pid_ > 0) {
      kill(pid_, signal);
      kill(pid_, SIGCONT);
      waitpid(pid_, nullptr, 0);
      pid_ = 0;
    }
  }

  TemporaryDirectory directory_;
  std::vector<std::string> arguments_;
  pid_t pid_ = 0;
};

}  // namespace mimi

#endif  // MIMI_TESTS_STORE_REDIS_SERVER_H_
