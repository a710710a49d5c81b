// How an engine is put together.

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "src/base/status.h"
#include "src/engine/engine.h"
#include "src/engine/source.h"

namespace mimi::internal {
namespace {

std::uint64_t SystemSeed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device() | 1;
}

absl::Status Invalid(std::string_view option, std::string_view problem) {
  return Error(absl::StatusCode::kInvalidArgument, "EngineOptions::{}: {}", option, problem);
}

absl::Status CheckBox(std::string_view name, const BoxOptions& box) {
  std::set<TableId> drivers;
  for (const Driver* driver : box.drivers) {
    if (driver == nullptr) {
      return Invalid(name, "a driver is null");
    }
    if (!drivers.insert(driver->schema().table()).second) {
      return Invalid(name, fmt::format("two drivers for the table {}", driver->schema().name()));
    }
  }
  std::set<TableId> minions;
  for (const Minion* minion : box.minions) {
    if (minion == nullptr) {
      return Invalid(name, "a minion is null");
    }
    if (!minions.insert(minion->schema().table()).second) {
      return Invalid(name, fmt::format("two minions for the table {}", minion->schema().name()));
    }
  }
  std::set<TableId> lanes;
  for (const StateSchema& schema : box.lanes) {
    if (!lanes.insert(schema.table()).second) {
      return Invalid(name, fmt::format("the table {} twice among the lanes", schema.name()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckManager(const ManagerOptions& manager) {
  if (manager.policy == nullptr) {
    return Invalid("manager.policy", "required");
  }
  if (manager.steering == nullptr) {
    return Invalid("manager.steering", "required");
  }
  if (std::any_of(manager.liveness.begin(), manager.liveness.end(),
                  [](const Liveness* liveness) { return liveness == nullptr; })) {
    return Invalid("manager.liveness", "one is null");
  }
  if (manager.lease_ttl <= Duration::zero() || manager.step_timeout <= Duration::zero()) {
    return Invalid("manager", "lease_ttl and step_timeout must be positive");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status EngineImpl::CheckOptions(const EngineOptions& options) {
  if (options.pair.empty()) {
    return Invalid("pair", "a name is required");
  }
  if (options.store == nullptr) {
    return Invalid("store", "required");
  }
  if (!options.primary.served() && !options.minion.served() && !options.manager.has_value()) {
    return Invalid("primary, minion, manager", "nothing to do: all are empty");
  }
  if (options.max_staleness <= Duration::zero() || options.blind_after <= Duration::zero() ||
      options.report_every <= Duration::zero() || options.audit_every < Duration::zero()) {
    return Invalid("max_staleness, blind_after, report_every, audit_every", "must be positive");
  }
  if (options.report_every >= options.blind_after) {
    return Invalid("report_every", "must be shorter than blind_after, or every report is late");
  }
  for (const auto& [name, box] :
       {std::pair<std::string_view, const BoxOptions*>{"primary", &options.primary},
        {"minion", &options.minion}}) {
    if (const absl::Status valid = CheckBox(name, *box); !valid.ok()) {
      return valid;
    }
  }
  return options.manager.has_value() ? CheckManager(*options.manager) : absl::OkStatus();
}

void EngineImpl::FillDefaults(EngineOptions& options) {
  if (options.seed == 0) {
    options.seed = SystemSeed();
  }
  if (options.publish.seed == 0) {
    options.publish.seed = options.seed;
  }
  if (options.primary.node.empty()) {
    options.primary.node = options.pair + ".primary";
  }
  if (options.minion.node.empty()) {
    options.minion.node = options.pair + ".minion";
  }
  if (options.manager.has_value() && options.manager->node.empty()) {
    options.manager->node = fmt::format("{}.manager-{:016x}", options.pair, SystemSeed());
  }
}

// Each process that reports writes a stream of its own, so its name says which parts it runs.
std::string EngineImpl::ReportsNode(const EngineOptions& options) {
  std::string node = options.pair + "/reports";
  for (const BoxOptions* box : {&options.primary, &options.minion}) {
    if (!box->drivers.empty() || !box->lanes.empty()) {
      node += fmt::format("/{}.source", box->node);
    }
    if (!box->minions.empty()) {
      node += fmt::format("/{}.sink", box->node);
    }
  }
  return node;
}

absl::StatusOr<std::unique_ptr<Engine>> EngineImpl::New(EngineOptions options, Loop& loop) {
  if (const absl::Status valid = CheckOptions(options); !valid.ok()) {
    return valid;
  }
  FillDefaults(options);
  std::unique_ptr<EngineImpl> engine(new EngineImpl(std::move(options), loop));
  const absl::Status made = engine->Make();
  if (!made.ok()) {
    return made;
  }
  return engine;
}

absl::Status EngineImpl::Make() {
  FeedOptions feed;
  feed.seed = options_.seed;
  feed.wake = [this] {
    Wake();
  };
  feed.on_event = [this](std::string_view kind, const std::string& detail) {
    Emit(kind, detail);
  };
  feed_ = std::make_unique<Feed>(*options_.store, loop_, std::move(feed));
  feed_->Subscribe(ControlSchema().table(), board_);

  absl::StatusOr<std::unique_ptr<ControlWriter>> reports =
      ControlWriter::New(ReportsNode(options_), ControlWriter::Claims::kByItself, *options_.store,
                         loop_, board_, options_.publish);
  if (!reports.ok()) {
    return reports.status();
  }
  reports_ = *std::move(reports);

  for (const Side side : {Side::kPrimary, Side::kMinion}) {
    MakeSinks(side);
    if (const absl::Status made = MakePipeline(side); !made.ok()) {
      return made;
    }
  }
  return options_.manager.has_value() ? MakeManager() : absl::OkStatus();
}

// As far as this process can tell.
bool EngineImpl::MayHoldTraffic(Side side) const {
  const auto& pipeline = pipelines_[IndexOf(side)];
  if (!board_.loaded() || (pipeline != nullptr && pipeline->writing())) {
    return true;
  }
  const PairRow* wanted = board_.last_wanted();
  return wanted == nullptr ? side == Side::kPrimary : WantsActive(*wanted, side);
}

// Whether its data plane is ahead of the store. The target of a planned move has nothing of its own
// before the redirect, and what it has of the store may be old; once it is activated, nobody but
// the manager can tell which it is, and the row says so soon.
std::optional<bool> EngineImpl::KnowsBetter(Side side) const {
  const PairRow* wanted = board_.loaded() ? board_.last_wanted() : nullptr;
  const bool target = wanted != nullptr && wanted->phase == MovingPhase(side);
  if (target && wanted->planned && wanted->active && !wanted->redirected) {
    return std::nullopt;
  }
  return MayHoldTraffic(side);
}

void EngineImpl::MakeSinks(Side side) {
  const BoxOptions& box = side == Side::kPrimary ? options_.primary : options_.minion;
  if (box.minions.empty()) {
    return;
  }
  BoxSinks::Options sinks;
  sinks.side = side;
  sinks.own = OriginOf(box.node);
  sinks.max_staleness = options_.max_staleness;
  sinks.audit_every = options_.audit_every;
  sinks.max_rows = options_.max_rows;
  sinks.seed = options_.seed;
  sinks.unconfirmed = [this, side](TableId table, std::span<const std::byte> key) {
    const auto& pipeline = pipelines_[IndexOf(side)];
    return pipeline != nullptr && pipeline->Holds(table, key);
  };
  sinks.knows_better = [this, side] {
    return KnowsBetter(side);
  };
  sinks.may_repair = [this, side] {
    return !MayHoldTraffic(side);
  };
  sinks.wake = [this] {
    Wake();
  };
  sinks.emit = [this](std::string_view kind, const std::string& detail) {
    Emit(kind, detail);
  };
  sinks_[IndexOf(side)] =
      std::make_unique<BoxSinks>(std::move(sinks), box.minions, loop_, board_, *feed_);
}

absl::Status EngineImpl::MakePipeline(Side side) {
  const BoxOptions& box = side == Side::kPrimary ? options_.primary : options_.minion;
  const auto emit = [this](std::string_view kind, std::string detail) {
    Emit(kind, std::move(detail));
  };
  std::vector<std::unique_ptr<Source>> sources;
  const auto add = [&](const StateSchema& schema, Driver* driver) {
    Source::Options options;
    options.origin = OriginOf(box.node);
    options.driver = driver;
    options.lane_coverage = box.lane_coverage;
    options.age_field = box.age_field;
    options.publish = options_.publish;
    options.emit = emit;
    options.wake = [this] {
      Wake();
    };
    options.on_lost_unwritten = [this, side, table = schema.table()] {
      if (const auto& sinks = sinks_[IndexOf(side)]; sinks != nullptr) {
        sinks->WishAudit(table);
      }
    };
    absl::StatusOr<std::unique_ptr<Source>> source =
        Source::New(schema, std::move(options), *options_.store, loop_);
    if (source.ok()) {
      sources.push_back(*std::move(source));
    }
    return source.status();
  };
  for (Driver* driver : box.drivers) {
    if (const absl::Status added = add(driver->schema(), driver); !added.ok()) {
      return added;
    }
  }
  for (const StateSchema& schema : box.lanes) {
    const bool has_driver = std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
      return source->schema().table() == schema.table();
    });
    if (const absl::Status added = has_driver ? absl::OkStatus() : add(schema, nullptr);
        !added.ok()) {
      return added;
    }
  }
  if (sources.empty()) {
    return absl::OkStatus();
  }
  for (const auto& source : sources) {
    if (source->ages()) {
      feed_->Subscribe(source->schema().table(), *source);
    }
  }
  Pipeline::Options options;
  options.side = side;
  options.node = box.node;
  options.shared_claims = options_.shared_claims;
  options.seed = options_.seed;
  options.may_begin = [this, side] {
    const auto& sinks = sinks_[IndexOf(side)];
    return sinks == nullptr || sinks->loaded();
  };
  options.on_overtaken = [this, side](TableId table, std::span<const std::byte> key) {
    if (const auto& sinks = sinks_[IndexOf(side)]; sinks != nullptr) {
      sinks->Retell(table, key);
    }
  };
  options.emit = emit;
  pipelines_[IndexOf(side)] = std::make_unique<Pipeline>(std::move(options), *options_.store, loop_,
                                                         board_, std::move(sources));
  return WatchWakeups(*pipelines_[IndexOf(side)]);
}

absl::Status EngineImpl::WatchWakeups(const Pipeline& pipeline) {
  for (const auto& source : pipeline.sources()) {
    const int fd = source->pump().WakeFd();
    if (fd < 0) {
      continue;
    }
    const absl::Status watched = loop_.WatchFd(fd, kReadable, [this](std::uint32_t) { Tick(); });
    if (!watched.ok()) {
      return watched;
    }
    watched_.push_back(fd);
  }
  return absl::OkStatus();
}

ControllerHost::Parts EngineImpl::HostParts() {
  return {
      .store = *options_.store,
      .loop = loop_,
      .board = board_,
      .feed = *feed_,
      .local = [this](PairRowKind kind, Side side) { return LocalReport(kind, side); },
      .wake = [this] { Wake(); },
      .emit = [this](std::string_view kind, std::string detail) { Emit(kind, std::move(detail)); },
      .on_down =
          [this](Side side) {
            if (const auto& pipeline = pipelines_[IndexOf(side)]; pipeline != nullptr) {
              pipeline->DropHeldErases();
            }
          },
  };
}

absl::Status EngineImpl::MakeManager() {
  ControllerOptions options;
  options.pair = options_.pair;
  options.manager = *options_.manager;
  options.primary = OriginOf(options_.primary.node);
  options.minion = OriginOf(options_.minion.node);
  options.shared_claims = options_.shared_claims;
  options.max_staleness = options_.max_staleness;
  options.blind_after = options_.blind_after;
  absl::StatusOr<std::unique_ptr<ControllerHost>> host =
      ControllerHost::New(std::move(options), options_.publish, HostParts());
  if (!host.ok()) {
    return host.status();
  }
  manager_ = *std::move(host);
  return absl::OkStatus();
}

}  // namespace mimi::internal
