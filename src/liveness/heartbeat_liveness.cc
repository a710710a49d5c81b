// The manager's end of heartbeats: a socket that listens for one node.
#include <array>
#include <optional>
#include <random>
#include <utility>

#include "mimi/builtin/heartbeat.h"
#include "mimi/record.h"

#include "src/base/bytes.h"
#include "src/base/log.h"
#include "src/base/status.h"
#include "src/io/key_file.h"
#include "src/io/socket.h"
#include "src/liveness/heartbeat_session.h"
#include "src/liveness/reporter.h"

namespace mimi {
namespace {

using internal::HeartbeatActions;
using internal::HeartbeatPacket;
using internal::HeartbeatRefusal;

constexpr int kMostAtOnce = 256;  // a flood must not keep the loop

class HeartbeatLiveness final : public Liveness {
 public:
  HeartbeatLiveness(const HeartbeatOptions& options, std::string key, UniqueFd fd, Loop& loop)
      : node_(options.node),
        key_(std::move(key)),
        fd_(std::move(fd)),
        loop_(loop),
        log_(options.log),
        reporter_("heartbeat", options.box, options.first_evidence, loop),
        deadline_(loop) {}
  ~HeartbeatLiveness() override { Stop(); }

  std::string_view name() const override { return "heartbeat"; }

  absl::Status Start(std::function<void(const LivenessEvent&)> report) override {
    Stop();
    Sha256Digest secret;
    std::random_device random;
    for (std::size_t i = 0; i < secret.size(); i += 4) {
      StoreLe(&secret[i], static_cast<std::uint32_t>(random()));
    }
    listener_.emplace(OriginOf(node_), secret);
    reporter_.Start(std::move(report));
    return loop_.WatchFd(fd_.get(), kReadable, [this](std::uint32_t) { Drain(); });
  }

  void Stop() override {
    if (listener_.has_value()) {
      loop_.UnwatchFd(fd_.get());
    }
    deadline_.Clear();
    reporter_.Stop();
    listener_.reset();
  }

  MetricList metrics() const override {
    const MetricLabels node = {{"node", node_}};
    MetricList list;
    list.push_back(CounterMetric("mimi_heartbeat_received_total", "Beats of this node that counted",
                                 received_.value(), node));
    for (std::size_t i = 1; i < refused_.size(); ++i) {
      MetricLabels labels = node;
      labels.push_back(
          {"reason", std::string(HeartbeatRefusalName(static_cast<HeartbeatRefusal>(i)))});
      list.push_back(CounterMetric("mimi_heartbeat_refused_total", "Packets dropped, by reason",
                                   refused_[i].value(), labels));
    }
    return list;
  }

 private:
  void Drain() {
    std::array<std::byte, 256> buffer;
    for (int i = 0; i < kMostAtOnce && listener_.has_value(); ++i) {
      const std::optional<internal::Datagram> datagram = internal::Receive(fd_.get(), buffer);
      if (!datagram.has_value()) {
        return;
      }
      HeartbeatPacket packet;
      const HeartbeatRefusal refusal =
          internal::ParseHeartbeat(datagram->bytes, AsBytes(key_), &packet);
      if (refusal != HeartbeatRefusal::kNone) {
        Refuse(refusal, datagram->from.ip());
        continue;
      }
      const HeartbeatActions actions = listener_->OnPacket(packet, loop_.now());
      if (actions.challenge.has_value()) {
        internal::SendTo(fd_.get(), datagram->from,
                         internal::EncodeHeartbeat(*actions.challenge, AsBytes(key_)));
      }
      if (actions.refusal != HeartbeatRefusal::kNone) {
        Refuse(actions.refusal, datagram->from.ip());
        continue;
      }
      received_.Add();
      reporter_.Heard();
      Act(actions);
    }
  }

  void OnDeadline() {
    Drain();  // what waits in the socket came in time, however late we look
    if (listener_.has_value()) {
      Act(listener_->Tick(loop_.now()));
    }
  }

  void Act(const HeartbeatActions& actions) {
    deadline_.Set(listener_->NextDeadline(), [this] { OnDeadline(); });
    if (actions.change.has_value()) {
      reporter_.Say(actions.change->up ? Health::kUp : Health::kDown, actions.change->reason);
    }
  }

  void Refuse(HeartbeatRefusal refusal, const Ip& from) {
    Counter& counter = refused_[static_cast<std::size_t>(refusal)];
    counter.Add();
    // An unknown session is how every session begins.
    if (counter.value() == 1 && refusal != HeartbeatRefusal::kUnknownSession) {
      log_.Warn("heartbeat of {}: packet from {} dropped: {} (further ones are counted)", node_,
                from.ToString(), HeartbeatRefusalName(refusal));
    }
  }

  const std::string node_;
  const std::string key_;
  const UniqueFd fd_;
  Loop& loop_;
  const Logger log_;
  internal::Reporter reporter_;
  internal::Deadline deadline_;
  std::optional<internal::HeartbeatListener> listener_;
  Counter received_;
  std::array<Counter, internal::kHeartbeatRefusals> refused_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewHeartbeat(const HeartbeatOptions& options,
                                                       Loop& loop) {
  if (options.node.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "heartbeat: no node");
  }
  if (options.listen.port == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "heartbeat of {}: no port to listen at",
                 options.node);
  }
  if (options.first_evidence < Duration::zero()) {
    return Error(absl::StatusCode::kInvalidArgument, "heartbeat: first_evidence is negative");
  }
  absl::StatusOr<std::string> key = internal::ReadKeyFile(options.key_file);
  if (!key.ok()) {
    return Prepend("heartbeat", key.status());
  }
  internal::SocketPath path;
  path.local = options.listen.ip;
  path.port = options.listen.port;
  absl::StatusOr<UniqueFd> fd =
      internal::OpenSocket(internal::FamilyOf(path.local), SOCK_DGRAM, 0, path);
  if (!fd.ok()) {
    return Prepend("heartbeat", fd.status());
  }
  return std::make_unique<HeartbeatLiveness>(options, *std::move(key), *std::move(fd), loop);
}

}  // namespace mimi
