#include "mimi/builtin/nflog_driver.h"

#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <utility>

#include "mimi/flow.h"
#include "mimi/record.h"

#include "src/base/log.h"
#include "src/base/status.h"
#include "src/driver/nflog/packet_join.h"
#include "src/io/netlink_socket.h"
#include "src/io/network_namespace.h"
#include "src/wire/ip_packet.h"
#include "src/wire/nflog.h"

namespace mimi {
namespace internal {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(1);
constexpr std::size_t kBatchBytes = std::size_t{64} << 10;
constexpr std::size_t kDatagrams = 16;
constexpr std::size_t kMostRow = 128;

absl::Status Check(const NflogDriverOptions& options) {
  const auto refuse = [](const char* option, const char* expected) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: expected {}", option, expected);
  };
  if (options.translated_group == options.group) {
    return refuse("translated_group", "another group than the first");
  }
  if (options.max_waiting == 0 || options.threshold == 0 || options.receive_buffer == 0) {
    return refuse("max_waiting, threshold, receive_buffer", "more than 0");
  }
  if (options.join_within <= Duration::zero() || options.tcp_idle_timeout <= Duration::zero() ||
      options.idle_timeout <= Duration::zero()) {
    return refuse("join_within, tcp_idle_timeout, idle_timeout", "more than 0");
  }
  if (options.flush < Duration::zero() || options.flush > std::chrono::seconds(60)) {
    return refuse("flush", "0s to 60s");
  }
  return absl::OkStatus();
}

// The numbers that the kernel gives the packets of one group.
class Gaps {
 public:
  std::uint32_t Missing(std::uint32_t number) {
    const std::uint32_t missing = known_ ? number - next_ : 0;
    known_ = true;
    next_ = number + 1;
    return missing;
  }

 private:
  bool known_ = false;
  std::uint32_t next_ = 0;
};

class NflogDriver final : public Driver {
 public:
  NflogDriver(NflogDriverOptions options, Loop& loop, NetworkNamespace inside)
      : options_(std::move(options)),
        loop_(loop),
        inside_(std::move(inside)),
        log_(options_.log),
        join_(options_.join_within, options_.max_waiting),
        builder_(FlowSchema(), Origin{}) {}
  ~NflogDriver() override { Stop(); }

  const StateSchema& schema() const override { return FlowSchema(); }
  absl::Status Start(StateSink& sink) override;
  absl::Status Resync() override {
    return Error(absl::StatusCode::kUnimplemented, "nflog: what was logged cannot be walked");
  }
  void Stop() override;
  Coverage coverage() const override {
    return {.begins = true,
            .ends = false,
            .walkable = false,
            .complete = true,
            .limits = "flows from before its start, ends without a packet, TCP's windows"};
  }
  DriverState state() const override;
  void Collect(MetricList& metrics) const override;

 private:
  absl::Status Bind();
  absl::Status ReadAnswers();
  void OnReadable();
  void TakeDatagram(std::span<const std::byte> datagram, MonotonicTime now);
  void TakePacket(const NflogPacket& logged, MonotonicTime now);
  void Begin(Flow flow);
  void End(const IpPacket& packet);
  void Offer();

  NflogDriverOptions options_;
  Loop& loop_;
  NetworkNamespace inside_;
  Logger log_;
  PacketJoin join_;
  BatchBuilder builder_;
  StateSink* sink_ = nullptr;
  std::unique_ptr<NetlinkSocket> socket_;
  std::string problem_;
  std::array<Gaps, 2> gaps_;  // of packets before and after translation
  std::uint64_t overruns_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t ended_ = 0;
  std::array<std::uint64_t, kNflogRefusals> refusals_ = {};
  std::array<std::uint64_t, kIpRefusals> ip_refusals_ = {};
};

absl::Status NflogDriver::Start(StateSink& sink) {
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> socket =
      NetlinkSocket::OpenIn(inside_, {.receive_buffer = options_.receive_buffer,
                                      .batch = kDatagrams,
                                      .datagram_size = 2 * kBatchBytes});
  if (!socket.ok()) {
    return socket.status();
  }
  socket_ = *std::move(socket);
  absl::Status status = Bind();
  if (status.ok()) {
    status = loop_.WatchFd(socket_->fd(), kReadable, [this](std::uint32_t) { OnReadable(); });
  }
  if (!status.ok()) {
    socket_.reset();
    return status;
  }
  sink_ = &sink;
  problem_.clear();
  gaps_ = {};
  overruns_ = 0;
  return absl::OkStatus();
}

absl::Status NflogDriver::Bind() {
  NflogGroup group;
  group.threshold = options_.threshold;
  group.flush = static_cast<std::uint32_t>(
      std::max<std::int64_t>(1, options_.flush / std::chrono::milliseconds(10)));
  group.buffer_size = kBatchBytes;
  NetlinkWriter writer(512);
  group.group = options_.group;
  AppendNflogBind(writer, group, 1);
  if (options_.translated_group.has_value()) {
    group.group = *options_.translated_group;
    AppendNflogBind(writer, group, 1 + kNflogBindMessages);
  }
  if (absl::Status sent = socket_->Send(writer.bytes()); !sent.ok()) {
    return sent;
  }
  return ReadAnswers();
}

// All answers are there when Send() returns. A packet that came between them is not taken: it is
// from before the start.
absl::Status NflogDriver::ReadAnswers() {
  for (;;) {
    const absl::StatusOr<std::size_t> count = socket_->Receive();
    if (!count.ok() || *count == 0) {
      return count.status();
    }
    for (std::size_t i = 0; i < *count; ++i) {
      NetlinkReader reader(socket_->datagram(i));
      NetlinkError error;
      for (NetlinkMessage message; reader.Next(&message);) {
        if (message.type == NLMSG_ERROR && ParseNetlinkError(message, &error) && error.error != 0) {
          return Error(absl::StatusCode::kFailedPrecondition, "nflog: group {}: {}{}",
                       error.sequence > kNflogBindMessages ? options_.translated_group.value_or(0)
                                                           : options_.group,
                       std::strerror(error.error),
                       error.error == EBUSY ? " (another program has it)" : "");
        }
      }
    }
  }
}

void NflogDriver::Stop() {
  if (socket_ != nullptr) {
    loop_.UnwatchFd(socket_->fd());
    socket_.reset();
  }
  sink_ = nullptr;
}

void NflogDriver::OnReadable() {
  const MonotonicTime until = loop_.now() + kSlice;
  for (;;) {
    const MonotonicTime now = loop_.now();
    const absl::StatusOr<std::size_t> count = socket_->Receive();
    if (!count.ok()) {
      problem_ = std::string(Message(count.status()));
      log_.Fail("{}", problem_);
      ++lost_;
      break;
    }
    // The next packet's number tells how many; but there may be none for long.
    lost_ += socket_->overruns() - overruns_;
    overruns_ = socket_->overruns();
    for (std::size_t i = 0; i < *count; ++i) {
      TakeDatagram(socket_->datagram(i), now);
    }
    if (*count == 0 || loop_.now() >= until) {
      break;
    }
  }
  Offer();
}

void NflogDriver::TakeDatagram(std::span<const std::byte> datagram, MonotonicTime now) {
  NetlinkReader reader(datagram);
  for (NetlinkMessage message; reader.Next(&message);) {
    if (message.type == NLMSG_DONE || message.type == NLMSG_ERROR) {
      continue;
    }
    NflogPacket packet;
    const NflogRefusal refusal = ParseNflogPacket(message, &packet);
    if (refusal == NflogRefusal::kNone) {
      TakePacket(packet, now);
    } else {
      ++refusals_[static_cast<std::size_t>(refusal)];
    }
  }
  refusals_[static_cast<std::size_t>(NflogRefusal::kTruncated)] += !reader.ok();
}

void NflogDriver::TakePacket(const NflogPacket& logged, MonotonicTime now) {
  ++packets_;
  const bool after = logged.group != options_.group;
  if (logged.sequence.has_value()) {
    lost_ += gaps_[after].Missing(*logged.sequence);
  }
  IpPacket packet;
  const IpRefusal refusal = ParseIpPacket(logged.payload, &packet);
  if (refusal != IpRefusal::kNone) {
    ++ip_refusals_[static_cast<std::size_t>(refusal)];
    return;
  }
  if ((packet.tcp_flags & (kTcpFin | kTcpRst)) != 0) {
    if (!after) {
      End(packet);
    }
    return;
  }
  if (!options_.translated_group.has_value()) {
    Begin(FlowFromPackets(packet, packet));
  } else if (const std::optional<Flow> flow =
                 join_.Add(after ? LogPoint::kAfter : LogPoint::kBefore, packet, now)) {
    Begin(*flow);
  }
}

void NflogDriver::Begin(Flow flow) {
  ++begun_;
  flow.idle_timeout =
      flow.protocol == IpProtocol::kTcp ? options_.tcp_idle_timeout : options_.idle_timeout;
  if (builder_.full()) {
    Offer();
  }
  std::array<std::byte, kMostRow> row;
  const std::span<std::byte> bytes(row.data(), FlowSchema().row_size());
  if (EncodeRow(flow, bytes)) {
    (void)builder_.Put(bytes);
  }
}

void NflogDriver::End(const IpPacket& packet) {
  ++ended_;
  if (builder_.full()) {
    Offer();
  }
  std::array<std::byte, kMostRow> key;
  const std::span<std::byte> bytes(key.data(), FlowSchema().key_size());
  if (EncodeKey(FlowFromPackets(packet, packet), bytes)) {
    (void)builder_.Erase(bytes);
  }
}

// Only walks are refused for want of room, and there are none.
void NflogDriver::Offer() {
  if (sink_ != nullptr && !builder_.empty()) {
    (void)sink_->Apply(builder_.Draft());
  }
  builder_.Clear();
}

DriverState NflogDriver::state() const {
  std::uint64_t refused = 0;
  for (const std::uint64_t count : refusals_) {
    refused += count;
  }
  for (const std::uint64_t count : ip_refusals_) {
    refused += count;
  }
  return {.healthy = problem_.empty(),
          .reason = problem_,
          .rows = 0,
          .events = begun_ + ended_,
          .refused = refused,
          .lost = lost_};
}

void NflogDriver::Collect(MetricList& metrics) const {
  metrics.push_back(CounterMetric("mimi_nflog_packets_total", "Packets read", packets_));
  metrics.push_back(CounterMetric("mimi_nflog_begun_total", "Flows that packets told of", begun_));
  metrics.push_back(CounterMetric("mimi_nflog_ended_total", "Ends that packets told of", ended_));
  metrics.push_back(CounterMetric("mimi_nflog_lost_total",
                                  "Packets missing in the kernel's numbers, and overruns", lost_));
  const auto refused = [&](std::string why, std::uint64_t value) {
    metrics.push_back(CounterMetric("mimi_nflog_refused_total", "Packets that mean nothing", value,
                                    {{"reason", std::move(why)}}));
  };
  for (std::size_t i = 1; i < kNflogRefusals; ++i) {
    refused(std::string(NflogRefusalName(static_cast<NflogRefusal>(i))), refusals_[i]);
  }
  for (std::size_t i = 1; i < kIpRefusals; ++i) {
    refused("ip_" + std::string(IpRefusalName(static_cast<IpRefusal>(i))), ip_refusals_[i]);
  }
  const PacketJoin::Counts& joins = join_.counts();
  const auto joined = [&](std::string_view what, std::uint64_t value) {
    metrics.push_back(CounterMetric("mimi_nflog_join_total", "Packets of two log points", value,
                                    {{"what", std::string(what)}}));
  };
  joined("joined", joins.joined);
  joined("repeated", joins.repeated);
  joined("ambiguous", joins.ambiguous);
  joined("alone", joins.alone);
  joined("crowded", joins.crowded);
  metrics.push_back(GaugeMetric("mimi_nflog_waiting", "Packets that wait for their other half",
                                static_cast<double>(join_.waiting())));
}

}  // namespace
}  // namespace internal

absl::StatusOr<std::unique_ptr<Driver>> NewNflogDriver(NflogDriverOptions options, Loop& loop) {
  if (absl::Status status = internal::Check(options); !status.ok()) {
    return status;
  }
  absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(options.network_namespace);
  if (!inside.ok()) {
    return inside.status();
  }
  return std::make_unique<internal::NflogDriver>(std::move(options), loop, *std::move(inside));
}

}  // namespace mimi
