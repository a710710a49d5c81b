#include "src/io/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "src/base/status.h"
#include "src/base/unique_fd.h"

namespace mimi {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{1} << 20;
constexpr auto kPatience = std::chrono::seconds(10);

// The input as a file: no pipe that could fill up while nobody reads.
UniqueFd InputFile(const std::string& input) {
  UniqueFd file(memfd_create("mimi", MFD_CLOEXEC));
  if (!file.valid() ||
      write(file.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
    return UniqueFd();
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

int Spawn(const std::vector<std::string>& command, int in, int out, pid_t* pid) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
  // What the caller blocks or ignores is its own affair.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const int error =
      posix_spawnp(pid, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// False: it took too long.
bool ReadAll(int fd, std::string* output) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd readable = {.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) == 0) {
      return false;
    }
    char buffer[4096];
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size <= 0) {
      return true;
    }
    if (output->size() < kMaxOutput) {
      output->append(buffer, static_cast<std::size_t>(size));
    }
  }
}

}  // namespace

absl::StatusOr<std::string> RunChild(const std::vector<std::string>& command,
                                     const std::string& input) {
  const UniqueFd in = InputFile(input);
  int ends[2];
  if (!in.valid() || pipe2(ends, O_CLOEXEC) != 0) {
    return Error(absl::StatusCode::kResourceExhausted, "{}: no descriptors: {}", command[0],
                 std::strerror(errno));
  }
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  pid_t pid = 0;
  if (const int error = Spawn(command, in.get(), to.get(), &pid); error != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: cannot be run: {}", command[0],
                 std::strerror(error));
  }
  to = UniqueFd();
  std::string output;
  const bool ended = ReadAll(from.get(), &output);
  if (!ended) {
    kill(pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (!ended) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: no end after 10 s", command[0]);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: {}", command[0],
                 output.empty() ? "failed without a word" : output);
  }
  return output;
}

}  // namespace mimi
