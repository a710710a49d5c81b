// The loop on libuv: one uv_poll_t over the descriptor of an epoll loop.
//
// uv_poll_t per descriptor and uv_async_t would work as well, but with other edges: libuv stops a
// handle at POLLERR (which netlink sockets report for every overrun), cannot watch for failures
// alone, refuses a descriptor twice, and registers with the kernel only in its next round. One
// nested set costs an epoll_wait per wake-up and has the core's behaviour exactly.
#include "mimi/builtin/uv_loop.h"

#include <atomic>
#include <string>
#include <utility>

#include <uv.h>

namespace mimi {
namespace {

absl::Status UvStatus(std::string_view what, int error) {
  std::string message(what);
  message.append(": ").append(uv_strerror(error));
  return absl::ResourceExhaustedError(message);
}

class UvLoop final : public Loop {
 public:
  UvLoop() = default;
  ~UvLoop() override;
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  absl::Status Init(uv_loop_t* host);

  MonotonicTime now() const override { return core_->now(); }
  UnixTime unix_now() const override { return core_->unix_now(); }
  TimerId At(MonotonicTime at, std::function<void()> fire) override {
    return core_->At(at, std::move(fire));
  }
  void Cancel(TimerId timer) override { core_->Cancel(timer); }
  absl::Status WatchFd(int fd, std::uint32_t events,
                       std::function<void(std::uint32_t)> ready) override {
    return core_->WatchFd(fd, events, std::move(ready));
  }
  void UnwatchFd(int fd) override { core_->UnwatchFd(fd); }
  void Post(std::function<void()> task) override { core_->Post(std::move(task)); }
  int PollFd() const override { return uv_backend_fd(host_); }
  std::optional<MonotonicTime> NextDeadline() const override;
  bool RunOnce() override;
  void Run() override;
  void Stop() override;

 private:
  static void OnReady(uv_poll_t* handle, int status, int events);

  uv_loop_t own_{};
  uv_loop_t* host_ = nullptr;
  std::unique_ptr<Loop> core_;
  uv_poll_t* poll_ = nullptr;  // libuv frees it in its own time, through the close callback
  bool worked_ = false;
  // Set by Stop(), taken by Run(); the wake-up through core_'s eventfd orders the two.
  std::atomic<bool> stop_{false};
};

absl::Status UvLoop::Init(uv_loop_t* host) {
  absl::StatusOr<std::unique_ptr<Loop>> core = NewEpollLoop();
  if (!core.ok()) {
    return core.status();
  }
  core_ = *std::move(core);
  if (host == nullptr) {
    if (const int error = uv_loop_init(&own_); error != 0) {
      return UvStatus("cannot make a uv_loop_t", error);
    }
    host = &own_;
  }
  host_ = host;
  auto poll = std::make_unique<uv_poll_t>();
  if (const int error = uv_poll_init(host_, poll.get(), core_->PollFd()); error != 0) {
    return UvStatus("cannot watch the loop's descriptor", error);
  }
  poll_ = poll.release();
  poll_->data = this;
  if (const int error = uv_poll_start(poll_, UV_READABLE, OnReady); error != 0) {
    return UvStatus("cannot watch the loop's descriptor", error);
  }
  if (host_ == &own_) {
    uv_run(host_, UV_RUN_NOWAIT);  // makes the kernel know the handle before PollFd() is used
  }
  return absl::OkStatus();
}

UvLoop::~UvLoop() {
  if (poll_ != nullptr) {
    poll_->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  }
  if (host_ == &own_) {
    uv_run(&own_, UV_RUN_DEFAULT);  // nothing is left in it but the handle that closes
    uv_loop_close(&own_);
  }
}

void UvLoop::OnReady(uv_poll_t* handle, int /*status*/, int /*events*/) {
  if (auto* self = static_cast<UvLoop*>(handle->data); self != nullptr) {
    self->worked_ = self->core_->RunOnce() || self->worked_;
  }
}

std::optional<MonotonicTime> UvLoop::NextDeadline() const {
  std::optional<MonotonicTime> next = core_->NextDeadline();
  if (const int timeout_ms = uv_backend_timeout(host_); timeout_ms >= 0) {
    const MonotonicTime host_next = now() + std::chrono::milliseconds(timeout_ms);
    if (!next.has_value() || host_next < *next) {
      next = host_next;
    }
  }
  return next;
}

bool UvLoop::RunOnce() {
  worked_ = false;
  uv_run(host_, UV_RUN_NOWAIT);
  return worked_;
}

void UvLoop::Run() {
  while (!stop_.exchange(false, std::memory_order_acquire)) {
    uv_run(host_, UV_RUN_ONCE);
  }
}

void UvLoop::Stop() {
  stop_.store(true, std::memory_order_release);
  core_->Stop();  // wakes the core's descriptor; the core's own Run() is never used
}

}  // namespace

absl::StatusOr<std::unique_ptr<Loop>> NewUvLoop(uv_loop_s* host) {
  auto loop = std::make_unique<UvLoop>();
  if (absl::Status status = loop->Init(host); !status.ok()) {
    return status;
  }
  return loop;
}

}  // namespace mimi
