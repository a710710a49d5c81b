// traffic: the counters of interfaces, looked at every now and then.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "mimi/builtin/probes.h"

#include "src/base/status.h"
#include "src/base/unique_fd.h"
#include "src/io/socket.h"
#include "src/liveness/reporter.h"
#include "src/liveness/traffic_watch.h"
#include "src/wire/net_dev.h"

namespace mimi {
namespace {

class TrafficLiveness final : public Liveness {
 public:
  TrafficLiveness(const TrafficOptions& options, Loop& loop)
      : options_(options),
        loop_(loop),
        reporter_("traffic", options.box, Duration::zero(), loop),
        deadline_(loop) {}
  ~TrafficLiveness() override { Stop(); }

  std::string_view name() const override { return "traffic"; }

  absl::Status Start(std::function<void(const LivenessEvent&)> report) override {
    Stop();
    // The calling thread's namespace, and that of every read to come: /sys would show the one in
    // which it was mounted.
    UniqueFd fd(open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) {
      return internal::SocketError("traffic: cannot open /proc/thread-self/net/dev", errno);
    }
    fd_ = std::move(fd);
    Restart();
    reporter_.Start(std::move(report));
    Look();
    return absl::OkStatus();
  }

  void Stop() override {
    deadline_.Clear();
    reporter_.Stop();
    const UniqueFd closed = std::move(fd_);
  }

 private:
  void Restart() { watch_.emplace(options_.min_packets, options_.ignored_out, options_.window); }

  void Look() {
    const MonotonicTime now = loop_.now();
    deadline_.Set(now + options_.interval, [this] { Look(); });
    std::string missing;
    if (!ReadText()) {
      missing = "the counters cannot be read";
    }
    const std::optional<std::uint64_t> in = Sum(options_.in, &missing);
    const std::optional<std::uint64_t> out = Sum(options_.out, &missing);
    if (!in || !out) {
      Restart();
      reporter_.Say(Health::kUnknown, missing);
      return;
    }
    if (const auto change = watch_->OnSample(*in, *out, now); change.has_value()) {
      reporter_.Say(change->up ? Health::kUp : Health::kDown, change->reason);
    }
  }

  // The kernel hands out a page at a time.
  bool ReadText() {
    text_.clear();
    for (;;) {
      const std::size_t size = text_.size();
      text_.resize(size + 4096);
      const ssize_t got = pread(fd_.get(), text_.data() + size, 4096, static_cast<off_t>(size));
      text_.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
      if (got <= 0) {
        return got == 0;
      }
    }
  }

  std::optional<std::uint64_t> Sum(const std::vector<PacketCounter>& counters,
                                   std::string* missing) const {
    std::uint64_t sum = 0;
    for (const PacketCounter& counter : counters) {
      const auto packets = internal::FindNetDev(text_, counter.interface);
      if (!packets) {
        if (missing->empty()) {
          *missing = fmt::format("there is no interface {}", counter.interface);
        }
        return std::nullopt;
      }
      sum += counter.received ? packets->received : packets->sent;
    }
    return sum;
  }

  const TrafficOptions options_;
  Loop& loop_;
  internal::Reporter reporter_;
  internal::Deadline deadline_;
  UniqueFd fd_;
  std::string text_;
  std::optional<internal::TrafficWatch> watch_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewTrafficLiveness(const TrafficOptions& options,
                                                             Loop& loop) {
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  for (const auto& [name, counters] : {std::pair("in", &options.in), {"out", &options.out}}) {
    if (counters->empty()) {
      return Error(kBad, "traffic: no interface for `{}`", name);
    }
    for (const PacketCounter& counter : *counters) {
      if (counter.interface.empty() || counter.interface.size() > 15) {
        return Error(kBad, "traffic: \"{}\" is no name of an interface", counter.interface);
      }
    }
  }
  if (options.interval < std::chrono::milliseconds(1) || options.window < options.interval) {
    return Error(kBad,
                 "traffic: interval is {} ns and window {} ns, expected 1 ms or more, and a "
                 "window that is not shorter",
                 options.interval.count(), options.window.count());
  }
  if (options.min_packets == 0) {
    return Error(kBad, "traffic: min_packets is 0");
  }
  return std::make_unique<TrafficLiveness>(options, loop);
}

}  // namespace mimi
