// The speaking end of heartbeats.
#include <array>
#include <optional>
#include <random>
#include <utility>

#include "mimi/builtin/heartbeat.h"
#include "mimi/record.h"

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/io/key_file.h"
#include "src/io/socket.h"
#include "src/liveness/heartbeat_session.h"
#include "src/liveness/reporter.h"

namespace mimi {
namespace {

using internal::BeaconSender;
using internal::HeartbeatPacket;
using internal::HeartbeatRefusal;

constexpr std::size_t kMostTargets = 16;
constexpr int kMostAtOnce = 64;

class Beacon final : public Liveness {
 public:
  Beacon(const BeaconOptions& options, std::string key, UniqueFd fd, Loop& loop)
      : options_(options), key_(std::move(key)), fd_(std::move(fd)), loop_(loop), deadline_(loop) {}
  ~Beacon() override { Stop(); }

  std::string_view name() const override { return "beacon"; }

  absl::Status Start(std::function<void(const LivenessEvent&)>) override {
    Stop();
    std::random_device random;
    BeaconSender::Config config;
    config.node = OriginOf(options_.node);
    config.session = std::uint64_t{random()} << 32 | random();
    config.interval = options_.interval;
    config.multiplier = static_cast<std::uint8_t>(options_.multiplier);
    config.targets = options_.targets.size();
    sender_.emplace(config, loop_.now());
    absl::Status watched =
        loop_.WatchFd(fd_.get(), kReadable, [this](std::uint32_t) { OnReadable(); });
    OnDeadline();
    return watched;
  }

  void Stop() override {
    deadline_.Clear();
    if (sender_.has_value()) {
      loop_.UnwatchFd(fd_.get());
    }
    sender_.reset();
  }

  MetricList metrics() const override {
    const MetricLabels node = {{"node", options_.node}};
    return {
        CounterMetric("mimi_beacon_sent_total", "Beats sent for this node", sent_.value(), node),
        CounterMetric("mimi_beacon_challenges_total", "Challenges answered", answered_.value(),
                      node),
        CounterMetric("mimi_beacon_refused_total", "Packets that were no challenge for us",
                      refused_.value(), node)};
  }

 private:
  bool Well() const { return !options_.well || options_.well(); }

  void OnDeadline() {
    for (const BeaconSender::Beat& beat : sender_->Tick(Well(), loop_.now())) {
      Send(beat);
    }
    deadline_.Set(sender_->NextDeadline(), [this] { OnDeadline(); });
  }

  void OnReadable() {
    std::array<std::byte, 256> buffer;
    for (int i = 0; i < kMostAtOnce; ++i) {
      const std::optional<internal::Datagram> datagram = internal::Receive(fd_.get(), buffer);
      if (!datagram.has_value()) {
        return;
      }
      HeartbeatPacket packet;
      std::optional<BeaconSender::Beat> answer;
      const std::optional<std::size_t> target = TargetAt(datagram->from);
      if (target.has_value() && internal::ParseHeartbeat(datagram->bytes, AsBytes(key_), &packet) ==
                                    HeartbeatRefusal::kNone) {
        answer = sender_->OnChallenge(*target, packet, Well());
      }
      if (!answer.has_value()) {
        refused_.Add();
        continue;
      }
      answered_.Add();
      Send(*answer);
    }
  }

  std::optional<std::size_t> TargetAt(const internal::SocketAddress& from) const {
    for (std::size_t i = 0; i < options_.targets.size(); ++i) {
      if (options_.targets[i].ip == from.ip() && options_.targets[i].port == from.port()) {
        return i;
      }
    }
    return std::nullopt;
  }

  void Send(const BeaconSender::Beat& beat) {
    const UdpAddress& to = options_.targets[beat.target];
    if (internal::SendTo(fd_.get(), internal::SocketAddress(to.ip, to.port),
                         internal::EncodeHeartbeat(beat.packet, AsBytes(key_)))) {
      sent_.Add();
    }
  }

  const BeaconOptions options_;
  const std::string key_;
  const UniqueFd fd_;
  Loop& loop_;
  internal::Deadline deadline_;
  std::optional<BeaconSender> sender_;
  Counter sent_, answered_, refused_;
};

absl::Status Check(const BeaconOptions& options) {
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  if (options.node.empty()) {
    return Error(kBad, "beacon: no node");
  }
  if (options.targets.empty() || options.targets.size() > kMostTargets) {
    return Error(kBad, "beacon: {} targets, expected 1 to {}", options.targets.size(),
                 kMostTargets);
  }
  for (const UdpAddress& target : options.targets) {
    if (target.port == 0 || target.ip == Ip() ||
        target.ip.is_v4() != options.targets[0].ip.is_v4()) {
      return Error(kBad,
                   "beacon: target {} port {}: expected an address and a port, all targets of one "
                   "family",
                   target.ip.ToString(), target.port);
    }
  }
  if (options.interval < std::chrono::milliseconds(1) ||
      options.interval > std::chrono::seconds(60)) {
    return Error(kBad, "beacon: interval is {} ns, expected 1 ms to 60 s",
                 options.interval.count());
  }
  if (options.multiplier < 1 || options.multiplier > 255) {
    return Error(kBad, "beacon: multiplier is {}, expected 1 to 255", options.multiplier);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewBeacon(const BeaconOptions& options, Loop& loop) {
  if (absl::Status checked = Check(options); !checked.ok()) {
    return checked;
  }
  absl::StatusOr<std::string> key = internal::ReadKeyFile(options.key_file);
  if (!key.ok()) {
    return Prepend("beacon", key.status());
  }
  internal::SocketPath path;
  path.local = options.bind.ip;
  path.port = options.bind.port;
  absl::StatusOr<UniqueFd> fd =
      internal::OpenSocket(internal::FamilyOf(options.targets[0].ip), SOCK_DGRAM, 0, path);
  if (!fd.ok()) {
    return Prepend("beacon", fd.status());
  }
  return std::make_unique<Beacon>(options, *std::move(key), *std::move(fd), loop);
}

}  // namespace mimi
