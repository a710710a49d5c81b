#include "mimi/builtin/syslog_driver.h"

#include <array>
#include <optional>
#include <random>
#include <utility>

#include <fmt/core.h>

#include "mimi/record.h"

#include "src/base/status.h"
#include "src/driver/syslog/log_line.h"
#include "src/driver/syslog/prepare.h"
#include "src/driver/syslog/senders.h"
#include "src/io/datagram_receiver.h"
#include "src/io/stream_server.h"
#include "src/rules/line_reader.h"

namespace mimi {
namespace {

using internal::AllowList;
using internal::DatagramReceiver;

constexpr std::size_t kReadAhead = std::size_t{64} << 10;  // of a connection, beside one message

struct Counts {
  std::uint64_t lines = 0;
  std::uint64_t put = 0;
  std::uint64_t erased = 0;
  std::uint64_t noted = 0;
  std::uint64_t unmatched = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(rules::Refusal::kCount)> refused{};
  std::uint64_t forbidden = 0;  // datagrams of those who may not send
  std::uint64_t gaps = 0;       // lines missing by their numbers
  std::uint64_t cut = 0;        // lines longer than max_line, or cut off by the end of a connection
  std::uint64_t broken = 0;     // connections whose framing could not be understood
  std::uint64_t not_taken = 0;  // rows that the sink had no room for
};

class LogHost final : public SyslogDriver {
 public:
  LogHost(SyslogDriverOptions options, AllowList allow, std::shared_ptr<const rules::RuleSet> rules,
          Loop& loop)
      : options_(std::move(options)),
        allow_(std::move(allow)),
        loop_(loop),
        reader_(std::in_place, std::move(rules), seed_),
        builder_(options_.schema, Origin{}) {}
  ~LogHost() override { Stop(); }

  const StateSchema& schema() const override { return options_.schema; }
  absl::Status Start(StateSink& sink) override;
  absl::Status Resync() override {
    return Error(absl::StatusCode::kUnimplemented, "syslog: what was logged cannot be read again");
  }
  void Stop() override {
    datagrams_.clear();
    servers_.clear();
    ports_.assign(options_.listen.size(), 0);
    sink_ = nullptr;
  }
  absl::Status ReloadRules() override;
  std::uint16_t port(std::size_t index) const override {
    return index < ports_.size() ? ports_[index] : std::uint16_t{0};
  }
  Coverage coverage() const override;
  DriverState state() const override;
  void Collect(MetricList& metrics) const override;

  // Of the sockets.
  void OnLine(const Ip& from, std::string_view text, bool cut);
  void Flush();
  void CountCut() { ++counts_.cut; }
  void CountBroken() { ++counts_.broken; }
  std::size_t max_line() const { return options_.max_line; }

 private:
  absl::Status Listen(const SyslogListener& listener, std::uint16_t* port);
  void Add(const rules::Reading& reading);
  std::uint64_t dropped() const;

  const std::uint64_t seed_ = std::uint64_t{std::random_device()()} << 32 | std::random_device()();
  SyslogDriverOptions options_;
  AllowList allow_;
  Loop& loop_;
  std::optional<rules::LineReader> reader_;
  std::uint64_t evicted_before_ = 0;  // by joins of rules that were replaced
  BatchBuilder builder_;
  StateSink* sink_ = nullptr;
  std::vector<std::unique_ptr<DatagramReceiver>> datagrams_;
  std::vector<std::unique_ptr<StreamServer>> servers_;
  std::vector<std::uint16_t> ports_;
  internal::SequenceWatch sequences_;
  Counts counts_;
};

// One sender on TCP.
class Connection final : public StreamHandler {
 public:
  Connection(LogHost& driver, StreamConnection& connection, const Ip& from)
      : driver_(driver), connection_(connection), from_(from), framer_(driver.max_line()) {}
  ~Connection() override {
    if (unfinished_) {
      driver_.CountCut();
    }
  }

  void OnInput(std::string& input) override {
    const std::string_view all = input;
    std::size_t done = 0;
    for (;;) {
      std::string_view message;
      std::size_t used = 0;
      bool cut = false;
      const SyslogFramer::Result result = framer_.Next(all.substr(done), &message, &used, &cut);
      if (result == SyslogFramer::Result::kBroken) {
        driver_.CountBroken();
        driver_.Flush();
        input.clear();
        connection_.Close();
        return;
      }
      if (result == SyslogFramer::Result::kMessage) {
        driver_.OnLine(from_, message, cut);
      } else if (used == 0) {
        break;
      }
      done += used;
    }
    driver_.Flush();
    input.erase(0, done);
    unfinished_ = framer_.Inside(input);
  }

 private:
  LogHost& driver_;
  StreamConnection& connection_;
  Ip from_;
  SyslogFramer framer_;
  bool unfinished_ = false;
};

absl::Status LogHost::Start(StateSink& sink) {
  Stop();
  sink_ = &sink;
  for (std::size_t i = 0; i < options_.listen.size(); ++i) {
    if (const absl::Status listening = Listen(options_.listen[i], &ports_[i]); !listening.ok()) {
      Stop();
      return Prepend("syslog: listen", listening);
    }
  }
  return absl::OkStatus();
}

absl::Status LogHost::Listen(const SyslogListener& listener, std::uint16_t* port) {
  const std::optional<Ip> address = Ip::Parse(listener.address);
  if (!address) {
    return Error(absl::StatusCode::kInvalidArgument, "\"{}\" is no address", listener.address);
  }
  if (listener.transport == SyslogTransport::kUdp) {
    auto receiver = DatagramReceiver::Open(
        {.address = *address,
         .port = listener.port,
         .receive_buffer = options_.receive_buffer,
         .max_size = options_.max_line},
        loop_,
        [this](const Ip& from, std::string_view bytes, bool cut) {
          if (allow_.Allows(from)) {
            OnLine(from, bytes, cut);
          } else {
            ++counts_.forbidden;
          }
        },
        [this] { Flush(); });
    if (!receiver.ok()) {
      return receiver.status();
    }
    *port = (*receiver)->port();
    datagrams_.push_back(*std::move(receiver));
    return absl::OkStatus();
  }
  absl::StatusOr<UniqueFd> socket = ListenTcp(*address, listener.port);
  if (!socket.ok()) {
    return socket.status();
  }
  *port = LocalPort(*socket);
  const StreamServerOptions options = {.max_connections = options_.max_connections,
                                       .max_unread = options_.max_line + kReadAhead,
                                       .admit = [this](const Ip& peer) {
                                         return allow_.Allows(peer);
                                       }};
  auto server = StreamServer::Listen(
      *std::move(socket), loop_, options, [this](StreamConnection& connection) {
        return std::make_unique<Connection>(*this, connection, connection.peer());
      });
  if (!server.ok()) {
    return server.status();
  }
  servers_.push_back(*std::move(server));
  return absl::OkStatus();
}

void LogHost::OnLine(const Ip& from, std::string_view text, bool cut) {
  ++counts_.lines;
  counts_.cut += cut ? 1 : 0;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == '\0')) {
    text.remove_suffix(1);
  }
  const SyslogHeader header = ParseSyslogHeader(text);
  if (header.sequence != 0) {
    counts_.gaps += sequences_.Missing(from, header.host, header.sequence);
  }
  const rules::Reading reading = reader_->Read(internal::LogLineOf(text, header), loop_.now());
  switch (reading.kind) {
    case rules::Reading::Kind::kUnmatched:
      ++counts_.unmatched;
      return;
    case rules::Reading::Kind::kRefused:
      ++counts_.refused[static_cast<std::size_t>(reading.refusal)];
      return;
    case rules::Reading::Kind::kMatched:
      return Add(reading);
  }
}

void LogHost::Add(const rules::Reading& reading) {
  const auto add = [&] {
    if (reading.action == rules::Action::kPut) {
      return builder_.Put(reading.row);
    }
    return builder_.Erase(reading.row, reading.abrupt ? Op::kEraseAbrupt : Op::kErase);
  };
  if (reading.action == rules::Action::kNote) {
    ++counts_.noted;
    return;
  }
  ++(reading.action == rules::Action::kPut ? counts_.put : counts_.erased);
  if (!add()) {
    Flush();
    add();
  }
}

void LogHost::Flush() {
  if (builder_.empty()) {
    return;
  }
  if (sink_ == nullptr || !sink_->Apply(builder_.Draft()).ok()) {
    counts_.not_taken += builder_.size();
  }
  builder_.Clear();
}

absl::Status LogHost::ReloadRules() {
  absl::StatusOr<std::shared_ptr<const rules::RuleSet>> rules = internal::LoadLogRules(options_);
  if (!rules.ok()) {
    return rules.status();
  }
  evicted_before_ += reader_->join_evicted();
  reader_.emplace(*std::move(rules), seed_);
  return absl::OkStatus();
}

Coverage LogHost::coverage() const {
  Coverage coverage{.walkable = false, .limits = {}};
  for (const rules::Pack& pack : reader_->rules().packs) {
    coverage.begins = coverage.begins && pack.facts.begins;
    coverage.ends = coverage.ends && pack.facts.ends;
    coverage.complete = coverage.complete && pack.facts.complete;
    if (!pack.facts.limits.empty()) {
      coverage.limits += fmt::format("{}{}: {}", coverage.limits.empty() ? "" : "; ",
                                     pack.facts.name, pack.facts.limits);
    }
  }
  return coverage;
}

std::uint64_t LogHost::dropped() const {
  std::uint64_t dropped = 0;
  for (const auto& receiver : datagrams_) {
    dropped += receiver->dropped();
  }
  return dropped;
}

DriverState LogHost::state() const {
  DriverState state;
  state.healthy = sink_ != nullptr;
  state.reason = state.healthy ? "" : "not started";
  state.events = counts_.put + counts_.erased + counts_.noted;
  for (const std::uint64_t refused : counts_.refused) {
    state.refused += refused;
  }
  state.refused += counts_.forbidden;
  state.lost = dropped() + counts_.gaps + counts_.cut + counts_.broken + counts_.not_taken +
               evicted_before_ + reader_->join_evicted();
  return state;
}

void LogHost::Collect(MetricList& metrics) const {
  const auto lines = [&metrics](std::string_view result, std::uint64_t count) {
    metrics.push_back(CounterMetric("mimi_syslog_lines_total", "Lines, by what they meant", count,
                                    {{"result", std::string(result)}}));
  };
  lines("put", counts_.put);
  lines("erase", counts_.erased);
  lines("note", counts_.noted);
  lines("unmatched", counts_.unmatched);
  for (std::size_t i = 1; i < counts_.refused.size(); ++i) {
    metrics.push_back(CounterMetric(
        "mimi_syslog_refused_total", "Lines that a rule claims and cannot read", counts_.refused[i],
        {{"reason", std::string(rules::RefusalName(static_cast<rules::Refusal>(i)))}}));
  }
  const auto lost = [&metrics](std::string_view reason, std::uint64_t count) {
    metrics.push_back(CounterMetric("mimi_syslog_lost_total", "Lines known to be lost", count,
                                    {{"reason", std::string(reason)}}));
  };
  lost("socket", dropped());
  lost("gap", counts_.gaps);
  lost("cut", counts_.cut);
  lost("framing", counts_.broken);
  lost("sink", counts_.not_taken);
  lost("join", evicted_before_ + reader_->join_evicted());
  StreamServerStats streams;
  for (const auto& server : servers_) {
    const StreamServerStats one = server->stats();
    streams.open += one.open;
    streams.refused += one.refused;
    streams.forbidden += one.forbidden;
  }
  metrics.push_back(CounterMetric("mimi_syslog_forbidden_total",
                                  "Datagrams and connections of senders that are not allowed",
                                  counts_.forbidden + streams.forbidden));
  metrics.push_back(CounterMetric("mimi_syslog_connections_refused_total",
                                  "Connections beyond the limit", streams.refused));
  metrics.push_back(
      GaugeMetric("mimi_syslog_connections", "Connections now", static_cast<double>(streams.open)));
  metrics.push_back(GaugeMetric("mimi_syslog_join_entries", "Lines that wait for another",
                                static_cast<double>(reader_->join_size())));
  for (const auto& receiver : datagrams_) {
    metrics.push_back(GaugeMetric("mimi_syslog_receive_buffer_bytes", "What the kernel gives",
                                  static_cast<double>(receiver->receive_buffer()),
                                  {{"port", fmt::format("{}", receiver->port())}}));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SyslogDriver>> NewSyslogDriver(SyslogDriverOptions options,
                                                              Loop& loop) {
  absl::StatusOr<internal::SyslogParts> prepared = internal::PrepareSyslog(options);
  if (!prepared.ok()) {
    return prepared.status();
  }
  return std::make_unique<LogHost>(std::move(options), std::move(prepared->allow),
                                   std::move(prepared->rules), loop);
}

}  // namespace mimi
