#include "src/cli/process.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/unique_fd.h"
#include "src/cli/parts.h"
#include "src/cli/runtime_directory.h"
#include "src/cli/version.h"
#include "src/cli/watchers.h"
#include "src/service/control_server.h"
#include "src/service/http_server.h"
#include "src/service/service_notify.h"

namespace mimi::cli {
namespace {

using config::Config;

sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, number);
  }
  return signals;
}

LogLevel LevelOf(std::string_view kind) {
  if (kind == "error") {
    return LogLevel::kError;
  }
  if (kind == "lost" || kind == "fenced") {
    return LogLevel::kWarning;
  }
  return kind == "step" ? LogLevel::kDebug : LogLevel::kInfo;
}

class PairProcess final : public Process {
 public:
  PairProcess(const Config& config, LogCallback log)
      : config_(config), log_(std::move(log)), events_(config.pair, log_) {}
  ~PairProcess() override {
    if (loop_ != nullptr && signals_.valid()) {
      loop_->UnwatchFd(signals_.get());
    }
    watchers_.reset();  // its thread reports to the engine
    if (!socket_.empty()) {
      unlink(socket_.c_str());
    }
  }

  absl::Status Make();
  absl::Status Run() override;

 private:
  void Say(LogLevel level, std::string_view text) const {
    if (log_) {
      log_(level, text);
    }
  }
  void OnEvent(const PairEvent& event);
  absl::Status MakeEngine();
  absl::Status MakeSurfaces();
  absl::Status MakeControl();
  absl::Status MakeHttp();
  absl::Status WatchSignals();
  void OnSignal();
  void Stop();
  absl::Status Reload();
  service::ProcessFacts Facts() const;
  std::string StatusLine() const;

  const Config& config_;
  LogCallback log_;
  service::EventLog events_;
  std::unique_ptr<Loop> loop_;
  UniqueFd signals_;
  Parts parts_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Watchers> watchers_;
  service::PairDoors doors_;
  std::string socket_;
  std::unique_ptr<StreamServer> control_;
  std::unique_ptr<StreamServer> http_;
  std::unique_ptr<service::ServiceNotify> notify_;
  MonotonicTime started_;
  bool stopping_ = false;
  absl::Status stopped_ = absl::OkStatus();
};

absl::Status PairProcess::Make() {
  absl::StatusOr<std::unique_ptr<Loop>> loop = NewEpollLoop();
  if (!loop.ok()) {
    return loop.status();
  }
  loop_ = *std::move(loop);
  started_ = loop_->now();
  if (!config_.log.events.empty()) {
    if (const absl::Status opened = events_.OpenFile(config_.log.events); !opened.ok()) {
      return opened;
    }
  }
  if (const absl::Status made = MakeEngine(); !made.ok()) {
    return made;
  }
  return MakeSurfaces();
}

void PairProcess::OnEvent(const PairEvent& event) {
  events_.Add(event);
  Say(LevelOf(event.kind), fmt::format("{}: {}: {}", config_.pair, event.kind, event.detail));
}

absl::Status PairProcess::MakeEngine() {
  EngineOptions options;
  if (const absl::Status built = BuildParts(config_, *loop_, log_, &parts_, &options);
      !built.ok()) {
    return built;
  }
  options.on_event = [this](const PairEvent& event) {
    OnEvent(event);
  };
  if (options.manager.has_value()) {
    options.manager->on_step = [this](Side to, Step step, StepEdge edge) {
      OnEvent({.at = loop_->unix_now(),
               .kind = "step",
               .detail = fmt::format("to the {}: {} {}", SideName(to), StepName(step),
                                     edge == StepEdge::kBefore ? "begins" : "done")});
    };
  }
  absl::StatusOr<std::unique_ptr<Engine>> engine = NewEngine(std::move(options), *loop_);
  if (!engine.ok()) {
    return engine.status();
  }
  engine_ = *std::move(engine);
  absl::StatusOr<std::unique_ptr<Watchers>> watchers =
      MakeWatchers(config_, *loop_, parts_, *engine_, log_);
  if (!watchers.ok()) {
    return watchers.status();
  }
  watchers_ = *std::move(watchers);
  return absl::OkStatus();
}

absl::Status PairProcess::MakeSurfaces() {
  doors_ = {.engine = engine_.get(),
            .store = parts_.store.get(),
            .events = &events_,
            .tables = parts_.tables,
            .facts = [this] { return Facts(); },
            .more_metrics = [this] { return watchers_ ? watchers_->metrics() : MetricList(); },
            .reload =
                [this] {
                  return Reload();
                }};
  if (const absl::Status made = MakeControl(); !made.ok()) {
    return Prepend("control socket", made);
  }
  if (config_.http.listen.has_value()) {
    if (const absl::Status made = MakeHttp(); !made.ok()) {
      return Prepend("http", made);
    }
  }
  notify_ = std::make_unique<service::ServiceNotify>(*loop_, [this] { return StatusLine(); });
  return absl::OkStatus();
}

absl::Status PairProcess::MakeControl() {
  const std::string path = SocketPath(config_);
  if (path.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "this user has no runtime directory; say where: [control] socket = \"…\"");
  }
  if (config_.control.socket.empty()) {
    std::error_code ignored;  // ListenUnix says what is wrong with it
    std::filesystem::create_directories(RuntimeDirectory(), ignored);
  }
  absl::StatusOr<std::unique_ptr<StreamServer>> control =
      service::NewControlServer(path, config_.control.group, doors_, *loop_);
  if (!control.ok()) {
    return control.status();
  }
  socket_ = path;
  control_ = *std::move(control);
  return absl::OkStatus();
}

absl::Status PairProcess::MakeHttp() {
  service::HttpServerOptions options;
  if (!config_.http.token_file.empty()) {
    absl::StatusOr<std::string> token = service::ReadToken(config_.http.token_file);
    if (!token.ok()) {
      return token.status();
    }
    options.token = *std::move(token);
  }
  absl::StatusOr<UniqueFd> socket =
      ListenTcp(config_.http.listen->address, config_.http.listen->port);
  if (!socket.ok()) {
    return socket.status();
  }
  const std::uint16_t port = LocalPort(*socket);
  absl::StatusOr<std::unique_ptr<StreamServer>> http =
      service::NewHttpServer(*std::move(socket), options, doors_, *loop_);
  if (!http.ok()) {
    return http.status();
  }
  http_ = *std::move(http);
  Say(LogLevel::kInfo, fmt::format("{}: http at {}", config_.pair,
                                   config::FormatEndpoint({config_.http.listen->address, port})));
  return absl::OkStatus();
}

service::ProcessFacts PairProcess::Facts() const {
  return {.version = kVersion,
          .roles = config::RolesText(config_.roles),
          .store = config_.store_url,
          .liveness_scheduling = watchers_ ? watchers_->scheduling() : "",
          .manages = Has(config_.roles, config::Role::kManager),
          .up = loop_->now() - started_,
          .now = loop_->unix_now(),
          .monotonic_now = loop_->now()};
}

std::string PairProcess::StatusLine() const {
  const PairStatus status = engine_->status();
  const service::PairWord word = service::WordOf(status);
  return fmt::format("{}: {}, traffic at the {}{}{}", config_.pair, ReadinessName(word.readiness),
                     SideName(status.view.traffic), word.reason.empty() ? "" : "; ", word.reason);
}

absl::Status PairProcess::WatchSignals() {
  const sigset_t signals = OurSignals();
  signals_ = UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  return loop_->WatchFd(signals_.get(), kReadable, [this](std::uint32_t) { OnSignal(); });
}

void PairProcess::OnSignal() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) {
      notify_->Reloading();
      (void)Reload();  // said in the log
      notify_->Ready();
    } else {
      Stop();
    }
  }
}

void PairProcess::Stop() {
  if (std::exchange(stopping_, true)) {
    stopped_ = Error(absl::StatusCode::kAborted, "stopped without waiting");
    loop_->Stop();
    return;
  }
  Say(LogLevel::kInfo, fmt::format("{}: stopping", config_.pair));
  notify_->Stopping();
  engine_->Stop(config_.stop_timeout, [this](const absl::Status& status) {
    stopped_ = status;
    loop_->Stop();
  });
}

absl::Status PairProcess::Reload() {
  absl::Status first = events_.Reopen();
  for (const auto& reload : parts_.reloads) {
    if (const absl::Status reloaded = reload(); !reloaded.ok() && first.ok()) {
      first = reloaded;
    }
  }
  OnEvent({.at = loop_->unix_now(),
           .kind = first.ok() ? "reload" : "error",
           .detail = first.ok() ? "rules and files were read again"
                                : fmt::format("reload: {}", Message(first))});
  return first;
}

absl::Status PairProcess::Run() {
  if (const absl::Status watched = WatchSignals(); !watched.ok()) {
    return watched;
  }
  if (const absl::Status started = engine_->Start(); !started.ok()) {
    return started;
  }
  if (watchers_ != nullptr) {
    if (const absl::Status started = watchers_->Start(); !started.ok()) {
      return started;
    }
  }
  Say(LogLevel::kInfo, fmt::format("{}: running as {}, store {}, control socket {}", config_.pair,
                                   config::RolesText(config_.roles), config_.store_url, socket_));
  notify_->Ready();
  engine_->Run();
  return stopped_;
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = OurSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

absl::StatusOr<std::unique_ptr<Process>> Process::New(const Config& config, LogCallback log) {
  auto process = std::make_unique<PairProcess>(config, std::move(log));
  const absl::Status made = process->Make();
  if (!made.ok()) {
    return made;
  }
  return std::unique_ptr<Process>(std::move(process));
}

}  // namespace mimi::cli
