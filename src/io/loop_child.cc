#include "src/io/loop_child.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "src/base/status.h"

namespace mimi {
namespace {

// The caller's environment, with what is to be different.
std::vector<std::string> EnvironmentWith(const std::vector<std::string>& own) {
  std::vector<std::string> all = own;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view theirs = *at;
    const std::string_view name = theirs.substr(0, theirs.find('=') + 1);
    const bool replaced = std::ranges::any_of(
        own, [&](const std::string& variable) { return variable.starts_with(name); });
    if (!replaced) {
      all.emplace_back(theirs);
    }
  }
  return all;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// What the child does between its birth and its program. It runs in the memory of its parent, which
// waits, as posix_spawn's does; that one cannot ask for the death signal.
struct Birth {
  int in, out, err;
  pid_t parent;
  char* const* command;
  char* const* environment;
  int error = 0;
};

int BeBorn(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  struct sigaction usual = {};
  usual.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    (void)sigaction(signal, &usual, nullptr);  // no handler of the parent's may run here
  }
  sigset_t none;
  sigemptyset(&none);
  // Whoever was killed meanwhile has left it to another parent already.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == birth.parent && setpgid(0, 0) == 0 &&
      dup2(birth.in, STDIN_FILENO) >= 0 && dup2(birth.out, STDOUT_FILENO) >= 0 &&
      dup2(birth.err, STDERR_FILENO) >= 0 && sigprocmask(SIG_SETMASK, &none, nullptr) == 0) {
    execvpe(birth.command[0], birth.command, birth.environment);
  }
  birth.error = errno;
  _exit(127);
}

// 0, or an errno.
int BringUp(Birth birth, pid_t* pid) {
  constexpr std::size_t kStack = std::size_t{64} << 10;
  void* const stack =
      mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) {
    return ENOMEM;
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  *pid =
      clone(BeBorn, static_cast<char*>(stack) + kStack, CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
  if (*pid < 0) {
    birth.error = errno;
  } else if (birth.error != 0) {
    while (waitpid(*pid, nullptr, 0) < 0 && errno == EINTR) {}
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  munmap(stack, kStack);
  return birth.error;
}

struct Pipe {
  UniqueFd from, to;

  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return false;
    }
    from = UniqueFd(ends[0]);
    to = UniqueFd(ends[1]);
    return fcntl(from.get(), F_SETFL, O_NONBLOCK) == 0;
  }
};

// What can be read now, in pieces. False: nothing will come any more.
template <class Take>
bool ReadAvailable(int fd, Take take) {
  char buffer[4096];
  for (;;) {
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size > 0) {
      take(std::string_view(buffer, static_cast<std::size_t>(size)));
    } else if (size < 0 && errno == EINTR) {
      continue;
    } else {
      return size < 0 && errno == EAGAIN;
    }
  }
}

}  // namespace

LoopChild::LoopChild(ChildOptions options, Loop& loop, EndCallback done)
    : options_(std::move(options)), loop_(loop), done_(std::move(done)) {
}

absl::StatusOr<std::unique_ptr<LoopChild>> LoopChild::Start(ChildOptions options, Loop& loop,
                                                            EndCallback done) {
  std::unique_ptr<LoopChild> child(new LoopChild(std::move(options), loop, std::move(done)));
  if (const absl::Status spawned = child->Spawn(); !spawned.ok()) {
    return spawned;
  }
  if (const absl::Status watched = child->Watch(); !watched.ok()) {
    return watched;
  }
  return child;
}

absl::Status LoopChild::Spawn() {
  const std::string& program = options_.command[0];
  const UniqueFd in(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Pipe out, err;
  if (!in.valid() || !out.Open() || !err.Open()) {
    return Error(absl::StatusCode::kResourceExhausted, "{}: no descriptors: {}", program,
                 std::strerror(errno));
  }
  const std::vector<std::string> variables = EnvironmentWith(options_.environment);
  const std::vector<char*> command = Pointers(options_.command);
  const std::vector<char*> environment = Pointers(variables);
  const int error = BringUp({.in = in.get(),
                             .out = out.to.get(),
                             .err = err.to.get(),
                             .parent = getpid(),
                             .command = command.data(),
                             .environment = environment.data()},
                            &pid_);
  if (error != 0) {
    pid_ = 0;
    const bool shortage = error == EAGAIN || error == ENOMEM;
    return Error(
        shortage ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kFailedPrecondition,
        "{}: cannot be run: {}", program, std::strerror(error));
  }
  output_.fd = std::move(out.from);
  errors_.fd = std::move(err.from);
  process_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!process_.valid()) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: cannot be watched: pidfd_open: {}",
                 program, std::strerror(errno));
  }
  return absl::OkStatus();
}

absl::Status LoopChild::Watch() {
  absl::Status status =
      loop_.WatchFd(output_.fd.get(), kReadable, [this](std::uint32_t) { ReadOutput(); });
  status.Update(
      loop_.WatchFd(errors_.fd.get(), kReadable, [this](std::uint32_t) { ReadErrors(); }));
  status.Update(loop_.WatchFd(process_.get(), kReadable, [this](std::uint32_t) { OnEnd(); }));
  timer_ = loop_.At(loop_.now() + options_.deadline, [this] {
    timer_ = 0;
    timed_out_ = true;
    KillGroup();  // OnEnd() follows
  });
  return status;
}

void LoopChild::ReadOutput() {
  const bool more = ReadAvailable(output_.fd.get(), [this](std::string_view text) {
    output_.text += text.substr(0, options_.max_output - output_.text.size());
  });
  if (!more) {
    Close(output_);
  }
}

void LoopChild::ReadErrors() {
  const bool more = ReadAvailable(errors_.fd.get(), [this](std::string_view text) {
    errors_.text += text;
    if (errors_.text.size() > options_.max_errors) {
      errors_.text.erase(0, errors_.text.size() - options_.max_errors);
    }
  });
  if (!more) {
    Close(errors_);
  }
}

void LoopChild::Close(Stream& stream) {
  if (stream.fd.valid()) {
    loop_.UnwatchFd(stream.fd.get());
    const UniqueFd closed = std::exchange(stream.fd, UniqueFd());
  }
}

void LoopChild::KillGroup() const {
  if (kill(-pid_, SIGKILL) != 0) {
    kill(pid_, SIGKILL);  // it has left its group
  }
}

void LoopChild::OnEnd() {
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) {
    return;
  }
  ChildEnd end;
  end.timed_out = timed_out_;
  if (ended > 0 && WIFEXITED(status)) {
    end.exit_code = WEXITSTATUS(status);
  } else if (ended > 0 && WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
  }
  pid_ = 0;
  loop_.UnwatchFd(process_.get());
  loop_.Cancel(timer_);
  if (output_.fd.valid()) {
    ReadOutput();
  }
  if (errors_.fd.valid()) {
    ReadErrors();
  }
  Close(output_);
  Close(errors_);
  end.output = std::move(output_.text);
  end.errors = std::move(errors_.text);
  const EndCallback done = std::move(done_);
  done(end);  // may have destroyed this
}

LoopChild::~LoopChild() {
  Close(output_);
  Close(errors_);
  if (pid_ == 0) {
    return;
  }
  loop_.Cancel(timer_);
  if (process_.valid()) {
    loop_.UnwatchFd(process_.get());
  }
  KillGroup();
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

}  // namespace mimi
