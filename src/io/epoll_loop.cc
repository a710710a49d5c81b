// The loop of mimi::core: an epoll set with a timerfd and an eventfd inside, so that the set's own
// descriptor is readable whenever a timer, a posted task or a watched descriptor is due.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mimi/loop.h"

#include "src/io/timer_queue.h"

namespace mimi {
namespace {

using internal::TimerQueue;

// Rounds that Run() makes in a row for what comes due as it goes, before it looks at descriptors
// again: a record takes three from a driver through a store in this process to a minion.
constexpr int kRoundsInARow = 4;

// epoll_event.data: the descriptor below, the generation of its watch above; our own two
// descriptors have generation 0.
constexpr std::uint64_t Token(std::uint32_t generation, int fd) {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

absl::Status ErrnoStatus(std::string_view what, int error) {
  std::string message(what);
  message.append(": ").append(std::strerror(error));
  const bool short_of = error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOSPC;
  return {short_of ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInvalidArgument,
          message};
}

class EpollLoop;
// The loop whose callbacks this thread is in.
thread_local const EpollLoop* dispatching_here = nullptr;

class EpollLoop final : public Loop {
 public:
  EpollLoop() = default;
  ~EpollLoop() override;
  EpollLoop(const EpollLoop&) = delete;
  EpollLoop& operator=(const EpollLoop&) = delete;

  absl::Status Init();

  MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  UnixTime unix_now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }

  TimerId At(MonotonicTime at, std::function<void()> fire) override;
  void Cancel(TimerId timer) override { timers_.Cancel(timer); }
  absl::Status WatchFd(int fd, std::uint32_t events,
                       std::function<void(std::uint32_t)> ready) override;
  void UnwatchFd(int fd) override;
  void Post(std::function<void()> task) override;
  int PollFd() const override { return epoll_fd_; }
  // Timers are in the timerfd as well; the moment is for loops that rather compute a time-out.
  std::optional<MonotonicTime> NextDeadline() const override { return timers_.Earliest(); }
  bool RunOnce() override { return Dispatch(0); }
  void Run() override;
  void Stop() override;

 private:
  struct Watch {
    std::uint32_t generation = 0;
    std::function<void(std::uint32_t)> ready;
  };

  bool Dispatch(int timeout_ms);
  void Deliver(const epoll_event& event);
  bool Round();
  bool FireTimers();
  bool RunPosted();
  bool AnyPosted();
  /// True: the earliest timer is due already.
  bool ArmTimer();
  void Wake();

  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  int wake_fd_ = -1;
  bool in_run_ = false;        // Run() is on the stack
  bool due_ = false;           // the last round has left something that is due now
  mutable TimerQueue timers_;  // NextDeadline() drops cancelled entries as it looks
  // What the timerfd is set to: never later than the earliest timer. Nothing while it is disarmed.
  std::optional<MonotonicTime> armed_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::uint32_t last_generation_ = 0;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::vector<std::function<void()>> running_;
  // Set by Stop(), taken by Run(). Its store is ordered before the write to wake_fd_, whose read
  // happens before the next look.
  std::atomic<bool> stop_{false};
};

absl::Status EpollLoop::Init() {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_fd_ < 0 || timer_fd_ < 0 || wake_fd_ < 0) {
    return ErrnoStatus("cannot make an event loop", errno);
  }
  for (const int fd : {timer_fd_, wake_fd_}) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = Token(0, fd)}};
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return ErrnoStatus("cannot fill an epoll set", errno);
    }
  }
  return absl::OkStatus();
}

EpollLoop::~EpollLoop() {
  for (const int fd : {wake_fd_, timer_fd_, epoll_fd_}) {
    if (fd >= 0) {
      close(fd);
    }
  }
}

TimerId EpollLoop::At(MonotonicTime at, std::function<void()> fire) {
  const TimerId timer = timers_.Add(at, std::move(fire));
  if (dispatching_here != this && ArmTimer()) {  // else once, at the end of the round
    Wake();
  }
  return timer;
}

// Setting a timer is the most expensive call of a round (40 us in some virtual machines). So one
// that is set too early stays, and fires for nothing once; and what is due already needs none.
bool EpollLoop::ArmTimer() {
  const std::optional<MonotonicTime> earliest = timers_.Earliest();
  if (!earliest.has_value()) {
    return false;
  }
  if (*earliest <= now()) {
    return true;
  }
  if (armed_.has_value() && *armed_ <= *earliest) {
    return false;
  }
  const std::int64_t ns =
      std::chrono::duration_cast<Duration>(earliest->time_since_epoch()).count();
  itimerspec spec{};
  spec.it_value.tv_sec = ns / 1'000'000'000;
  spec.it_value.tv_nsec = ns % 1'000'000'000;
  timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &spec, nullptr);  // also clears an expiry unread
  armed_ = earliest;
  return false;
}

absl::Status EpollLoop::WatchFd(int fd, std::uint32_t events,
                                std::function<void(std::uint32_t)> ready) {
  if (++last_generation_ == 0) {
    ++last_generation_;
  }
  epoll_event event{.events = 0, .data = {.u64 = Token(last_generation_, fd)}};
  if ((events & kReadable) != 0) {
    event.events |= EPOLLIN;
  }
  if ((events & kWritable) != 0) {
    event.events |= EPOLLOUT;
  }
  // The set may know the number (a replaced watch) or not (new, or closed and opened again behind
  // our back); the map cannot tell.
  int result = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  if (result != 0 && errno == EEXIST) {
    result = epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  }
  if (result != 0) {
    return ErrnoStatus("cannot watch descriptor " + std::to_string(fd), errno);
  }
  auto watch = std::make_shared<Watch>(Watch{last_generation_, std::move(ready)});
  std::swap(watches_[fd], watch);  // the old callback goes when all is in place
  return absl::OkStatus();
}

void EpollLoop::UnwatchFd(int fd) {
  const auto found = watches_.find(fd);
  if (found == watches_.end()) {
    return;
  }
  const std::shared_ptr<Watch> dropped = std::move(found->second);
  watches_.erase(found);
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void EpollLoop::Post(std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (first && dispatching_here != this) {  // else the round looks for it at its end
    Wake();
  }
}

void EpollLoop::Wake() {
  const int saved_errno = errno;  // Stop() may run in a signal handler
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then it is readable already.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
  errno = saved_errno;
}

void EpollLoop::Deliver(const epoll_event& event) {
  const int fd = static_cast<int>(event.data.u64 & 0xffffffff);
  const auto found = watches_.find(fd);
  if (found == watches_.end() || found->second->generation != event.data.u64 >> 32) {
    return;  // an earlier callback of this round unwatched it
  }
  std::uint32_t ready = 0;
  if ((event.events & EPOLLIN) != 0) {
    ready |= kReadable;
  }
  if ((event.events & EPOLLOUT) != 0) {
    ready |= kWritable;
  }
  if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) {
    ready |= kFailed;
  }
  const std::shared_ptr<Watch> watch = found->second;  // the callback may unwatch itself
  watch->ready(ready);
}

bool EpollLoop::Dispatch(int timeout_ms) {
  std::array<epoll_event, 64> events;
  const int count =
      epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), timeout_ms);
  const EpollLoop* const outer = std::exchange(dispatching_here, this);
  bool worked = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == Token(0, wake_fd_)) {
      std::uint64_t counter = 0;
      [[maybe_unused]] const ssize_t taken = read(wake_fd_, &counter, sizeof(counter));
    } else if (event.data.u64 == Token(0, timer_fd_)) {
      armed_.reset();  // it has fired: set it again even to the same moment
      std::uint64_t expirations = 0;
      [[maybe_unused]] const ssize_t taken = read(timer_fd_, &expirations, sizeof(expirations));
    } else {
      Deliver(event);
      worked = true;
    }
  }
  worked = Round() || worked;
  for (int rounds = 1; in_run_ && due_ && rounds < kRoundsInARow; ++rounds) {
    Round();
  }
  dispatching_here = outer;
  if (due_ && !in_run_) {  // Run() comes back without being told
    Wake();
  }
  return worked;
}

bool EpollLoop::Round() {
  bool worked = FireTimers();
  worked = RunPosted() || worked;
  due_ = AnyPosted();
  due_ = ArmTimer() || due_;
  return worked;
}

bool EpollLoop::AnyPosted() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return !posted_.empty();
}

bool EpollLoop::FireTimers() {
  if (!timers_.Earliest().has_value()) {
    return false;
  }
  bool fired = false;
  timers_.StartRound();
  const MonotonicTime at = now();
  while (const std::function<void()> fire = timers_.PopDue(at)) {
    fired = true;
    fire();
  }
  return fired;
}

bool EpollLoop::RunPosted() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    running_.swap(posted_);  // what these post comes in the next round
  }
  const bool any = !running_.empty();
  for (std::function<void()>& task : running_) {
    std::exchange(task, nullptr)();
  }
  running_.clear();
  return any;
}

void EpollLoop::Run() {
  in_run_ = true;
  while (!stop_.exchange(false, std::memory_order_acquire)) {
    Dispatch(due_ ? 0 : -1);
  }
  in_run_ = false;
  if (due_) {
    Wake();  // for whoever goes on by PollFd()
  }
}

void EpollLoop::Stop() {
  stop_.store(true, std::memory_order_release);
  Wake();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Loop>> NewEpollLoop() {
  auto loop = std::make_unique<EpollLoop>();
  if (absl::Status status = loop->Init(); !status.ok()) {
    return status;
  }
  return loop;
}

}  // namespace mimi
