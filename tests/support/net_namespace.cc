#include "tests/support/net_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "src/base/unique_fd.h"

namespace mimi::testing {
namespace {

constexpr char kThisNamespace[] = "/proc/thread-self/ns/net";

[[noreturn]] void Fail(std::string_view what, std::string_view detail) {
  throw std::runtime_error(std::string(what) + ": " + std::string(detail));
}

int OpenThisNamespace() {
  const int fd = open(kThisNamespace, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    Fail(kThisNamespace, std::strerror(errno));
  }
  return fd;
}

UniqueFd MemoryFile(std::string_view content) {
  UniqueFd file(memfd_create("mimi-test", MFD_CLOEXEC));
  if (!file.valid() ||
      write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    Fail("memfd", std::strerror(errno));
  }
  return file;
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  lseek(fd, 0, SEEK_SET);
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

// Only what is safe between fork and exec. -1: the stream stays as it is.
pid_t Start(int net_namespace, const std::vector<std::string>& command, int in, int out) {
  std::vector<char*> arguments;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    Fail("fork", std::strerror(errno));
  }
  if (pid == 0) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        setns(net_namespace, CLONE_NEWNET) != 0 || (in >= 0 && dup2(in, 0) < 0) ||
        (out >= 0 && (dup2(out, 1) < 0 || dup2(out, 2) < 0))) {
      _exit(126);
    }
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  return pid;
}

int StatusOf(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

void Process::Kill() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
}

int Process::Wait(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      Kill();
      Fail("wait", "the process did not end in time");
    }
    usleep(2000);
  }
  pid_ = 0;
  return StatusOf(status);
}

NetNamespace::Visit::Visit(int fd) : home_(OpenThisNamespace()) {
  if (setns(fd, CLONE_NEWNET) != 0) {
    close(home_);
    Fail("setns", std::strerror(errno));
  }
}

NetNamespace::Visit::~Visit() {
  if (setns(home_, CLONE_NEWNET) != 0) {
    std::terminate();  // whatever follows would run in the wrong network
  }
  close(home_);
}

NetNamespace::NetNamespace() {
  const UniqueFd home(OpenThisNamespace());
  if (unshare(CLONE_NEWNET) != 0) {
    Fail("unshare(CLONE_NEWNET)", std::strerror(errno));
  }
  fd_ = OpenThisNamespace();
  if (setns(home.get(), CLONE_NEWNET) != 0) {
    std::terminate();
  }
  Run("ip link set lo up");
}

NetNamespace::~NetNamespace() {
  close(fd_);
}

std::string NetNamespace::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
}

std::string NetNamespace::Run(std::string_view command) const {
  return Run(command, {});
}

std::string NetNamespace::Run(std::string_view command, std::string_view input) const {
  const UniqueFd in = MemoryFile(input);
  const UniqueFd out = MemoryFile({});
  // --foreground: no process group of its own, so that ^C reaches it.
  Process process(Start(fd_, {"timeout", "--foreground", "20", "sh", "-euc", std::string(command)},
                        in.get(), out.get()));
  const int status = process.Wait(25);
  std::string text = ReadAll(out.get());
  if (status != 0) {
    Fail(command, "exit status " + std::to_string(status) + "\n" + text + std::string(input));
  }
  return text;
}

void NetNamespace::Sysctl(std::string_view name, std::string_view value) const {
  Inside([&] {
    std::ofstream file("/proc/sys/" + std::string(name));
    file << value << std::flush;
    if (!file) {
      Fail(name, "cannot be set to " + std::string(value));
    }
  });
}

std::string NetNamespace::Sysctl(std::string_view name) const {
  return Inside([&] {
    std::ifstream file("/proc/sys/" + std::string(name));
    std::string text;
    if (!std::getline(file, text)) {
      Fail(name, "cannot be read");
    }
    return text;
  });
}

Process NetNamespace::Spawn(const std::vector<std::string>& command) const {
  return Process(Start(fd_, command, -1, -1));
}

void Connect(const NetNamespace& a, std::string_view device_a, const NetNamespace& b,
             std::string_view device_b) {
  const std::string left(device_a);
  const std::string right(device_b);
  a.Run("ip link add " + left + " type veth peer name " + right + " netns " + b.path() +
        "; ip link set " + left + " up");
  b.Run("ip link set " + right + " up");
}

std::string WhyNoNamespaces() {
  try {
    const NetNamespace probe;
    probe.Nft(
        "table inet probe { chain c { type filter hook prerouting priority mangle; "
        "ct state invalid drop; }; }");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace mimi::testing
