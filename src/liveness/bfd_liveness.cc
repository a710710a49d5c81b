// BFD's shell: a session on a port, a socket to send with, one timer.
#include <netinet/in.h>
#include <netinet/ip.h>

#include <array>
#include <cerrno>
#include <optional>
#include <random>
#include <utility>

#include "mimi/builtin/bfd.h"

#include "src/base/log.h"
#include "src/base/status.h"
#include "src/io/socket.h"
#include "src/liveness/bfd_port.h"
#include "src/liveness/bfd_session.h"
#include "src/liveness/reporter.h"

namespace mimi {
namespace {

using internal::BfdActions;
using internal::BfdPacket;
using internal::BfdRefusal;
using internal::BfdState;
using std::chrono::microseconds;

// RFC 5881 section 4: the source port is from this range, and stays the session's.
constexpr std::uint16_t kFirstSourcePort = 49152;
constexpr int kSourcePorts = 65536 - kFirstSourcePort;
constexpr int kTries = 64;

absl::StatusOr<UniqueFd> OpenSender(const BfdPortOptions& options) {
  const int family = internal::FamilyOf(options.local);
  std::random_device random;
  absl::StatusOr<UniqueFd> fd = absl::UnknownError("");
  for (int i = 0; i < kTries; ++i) {
    const auto port =
        static_cast<std::uint16_t>(kFirstSourcePort + random() % unsigned{kSourcePorts});
    fd = internal::OpenSocket(
        family, SOCK_DGRAM, 0,
        {.local = options.local, .port = port, .interface = options.interface, .mark = 0});
    if (fd.ok() || fd.status().code() != absl::StatusCode::kUnavailable) {
      break;
    }
  }
  if (!fd.ok()) {
    return fd;
  }
  const bool v4 = family == AF_INET;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int ttl = 255;
  if (setsockopt(fd->get(), level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl, sizeof ttl) != 0) {
    return internal::SocketError("cannot set TTL 255", errno);
  }
  // Network control, so that a queue full of data does not drop it. Not worth an error.
  const int tos = IPTOS_CLASS_CS6;
  (void)setsockopt(fd->get(), level, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof tos);
  return fd;
}

class BfdLiveness final : public Liveness, private BfdPort::Session {
 public:
  BfdLiveness(const BfdOptions& options, std::shared_ptr<BfdPort> port, UniqueFd sender, Loop& loop)
      : options_(options),
        loop_(loop),
        port_(std::move(port)),
        sender_(std::move(sender)),
        to_(options.peer, port_->options().port,
            internal::InterfaceIndex(port_->options().interface)),
        log_(options.log),
        reporter_("bfd", options.box, options.first_evidence, loop),
        deadline_(loop) {}
  ~BfdLiveness() override { Stop(); }

  std::string_view name() const override { return "bfd"; }

  absl::Status Start(std::function<void(const LivenessEvent&)> report) override {
    Stop();
    absl::StatusOr<std::uint32_t> discriminator = port_->Add(options_.peer, *this);
    if (!discriminator.ok()) {
      return discriminator.status();
    }
    discriminator_ = *discriminator;
    reporter_.Start(std::move(report));
    internal::BfdConfig config;
    config.desired_min_tx = std::chrono::duration_cast<microseconds>(options_.desired_min_tx);
    config.required_min_rx = std::chrono::duration_cast<microseconds>(options_.required_min_rx);
    config.multiplier = static_cast<std::uint8_t>(options_.detect_multiplier);
    config.passive = options_.passive;
    config.discriminator = discriminator_;
    config.seed = std::random_device()();
    session_.emplace(config, loop_.now());
    Act({});
    return absl::OkStatus();
  }

  void Stop() override {
    deadline_.Clear();
    reporter_.Stop();
    if (session_.has_value()) {
      Send(session_->AdminDown());
      session_.reset();
      port_->Remove(discriminator_);
    }
  }

  MetricList metrics() const override {
    const MetricLabels peer = {{"peer", options_.peer.ToString()}};
    MetricList list;
    list.push_back(CounterMetric("mimi_bfd_received_total", "BFD packets taken from this peer",
                                 received_.value(), peer));
    list.push_back(
        CounterMetric("mimi_bfd_sent_total", "BFD packets sent to this peer", sent_.value(), peer));
    for (std::size_t i = 1; i < refused_.size(); ++i) {
      MetricLabels labels = peer;
      labels.push_back({"reason", i < internal::kBfdRefusals
                                      ? std::string(BfdRefusalName(static_cast<BfdRefusal>(i)))
                                      : "ttl"});
      list.push_back(CounterMetric("mimi_bfd_refused_total", "BFD packets dropped, by reason",
                                   refused_[i].value(), labels));
    }
    return list;
  }

 private:
  void OnPacket(const BfdPacket& packet) override {
    received_.Add();
    reporter_.Heard();
    Act(session_->OnPacket(packet, loop_.now()));
  }

  void OnRefused(BfdRefusal refusal, bool ttl) override {
    Counter& counter = refused_[ttl ? internal::kBfdRefusals : static_cast<std::size_t>(refusal)];
    counter.Add();
    if (counter.value() == 1) {
      log_.Warn("bfd: packet from {} dropped: {} (further ones are counted)",
                options_.peer.ToString(),
                ttl ? "its TTL is not 255" : std::string(BfdRefusalName(refusal)));
    }
  }

  void OnDeadline() {
    // What waits in the socket came in time, however late we look.
    port_->Drain();
    if (session_.has_value()) {
      Act(session_->Tick(loop_.now()));
    }
  }

  void Act(const BfdActions& actions) {
    for (const BfdPacket& packet : actions.send) {
      Send(packet);
    }
    deadline_.Set(session_->NextDeadline(), [this] { OnDeadline(); });
    if (!actions.change.has_value()) {
      return;
    }
    const internal::BfdChange& change = *actions.change;
    if (change.state == BfdState::kUp) {
      reporter_.Say(Health::kUp, change.reason);
      was_up_ = true;
    } else if (change.state == BfdState::kDown && std::exchange(was_up_, false)) {
      reporter_.Say(change.administrative ? Health::kUnknown : Health::kDown, change.reason);
    }
  }

  void Send(const BfdPacket& packet) {
    if (internal::SendTo(sender_.get(), to_, internal::EncodeBfd(packet))) {
      sent_.Add();
    }
  }

  const BfdOptions options_;
  Loop& loop_;
  const std::shared_ptr<BfdPort> port_;
  const UniqueFd sender_;
  const internal::SocketAddress to_;
  const Logger log_;
  internal::Reporter reporter_;
  internal::Deadline deadline_;
  std::uint32_t discriminator_ = 0;
  std::optional<internal::BfdSession> session_;
  bool was_up_ = false;  // Init that ends in Down is no news of the box
  Counter received_, sent_;
  std::array<Counter, internal::kBfdRefusals + 1> refused_;  // the last: TTL
};

absl::Status Check(const BfdOptions& options) {
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  struct Named {
    std::string_view name;
    Duration value;
  };
  for (const Named& interval : {Named{"desired_min_tx", options.desired_min_tx},
                                Named{"required_min_rx", options.required_min_rx}}) {
    if (interval.value < std::chrono::milliseconds(1) ||
        interval.value > std::chrono::seconds(60)) {
      return Error(kBad, "bfd: {} is {} ns, expected 1 ms to 60 s", interval.name,
                   interval.value.count());
    }
  }
  if (options.detect_multiplier < 1 || options.detect_multiplier > 255) {
    return Error(kBad, "bfd: detect_multiplier is {}, expected 1 to 255",
                 options.detect_multiplier);
  }
  if (options.peer == Ip()) {
    return Error(kBad, "bfd: no peer");
  }
  if (options.first_evidence < Duration::zero()) {
    return Error(kBad, "bfd: first_evidence is negative");
  }
  const Ip& local = options.port ? options.port->options().local : options.port_options.local;
  if (local.is_v4() != options.peer.is_v4()) {
    return Error(kBad, "bfd: {} and {} are of different families", local.ToString(),
                 options.peer.ToString());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Liveness>> NewBfd(const BfdOptions& options, Loop& loop) {
  if (absl::Status checked = Check(options); !checked.ok()) {
    return checked;
  }
  std::shared_ptr<BfdPort> port = options.port;
  if (port == nullptr) {
    absl::StatusOr<std::shared_ptr<BfdPort>> opened = NewBfdPort(options.port_options, loop);
    if (!opened.ok()) {
      return opened.status();
    }
    port = *std::move(opened);
  }
  absl::StatusOr<UniqueFd> sender = OpenSender(port->options());
  if (!sender.ok()) {
    return Prepend("bfd", sender.status());
  }
  return std::make_unique<BfdLiveness>(options, std::move(port), *std::move(sender), loop);
}

}  // namespace mimi
