#include "src/config/config.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/config/chapters.h"
#include "src/config/read_kind.h"
#include "src/config/values.h"
#include "src/state/schema_text.h"

namespace mimi::config {
namespace {

using internal::Node;
using internal::Place;
using internal::Problems;

// Pair names stand in file names, keys of stores and labels of metrics.
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

class Reader {
 public:
  Reader(Section& root, Config& config, const Kinds& kinds, Problems& problems)
      : root_(root), config_(config), kinds_(kinds), problems_(problems) {
    context_.schemas = &config_.schemas;
    const std::filesystem::path parent = std::filesystem::path(config.file).parent_path();
    context_.directory = parent.empty() ? "." : parent.string();
  }

  void Read(Roles chosen) {
    ReadPair();
    ReadStore();
    ReadBox("primary", Side::kPrimary, &config_.primary);
    ReadBox("minion", Side::kMinion, &config_.minion);
    ReadManager(root_, kinds_, context_, &config_);
    ReadSurfaces();
    ReadRoles(root_, chosen, &config_);
  }

 private:
  void ReadPair() {
    config_.pair = "pair";
    EngineOptions& engine = config_.engine;
    Section* const section = root_.Child("pair");
    if (section == nullptr) {
      problems_.Add(Place{}, "pair", "needs a section [pair] with a name");
      return;
    }
    if (section->Require("name") && section->Read("name", &config_.pair) && !IsName(config_.pair)) {
      section->Refuse("name", fmt::format("expected up to 63 letters, digits, \".\", \"-\" and "
                                          "\"_\", beginning with a letter or digit, got \"{}\"",
                                          Shortened(config_.pair)));
    }
    engine.pair = config_.pair;
    context_.pair = config_.pair;
    section->Read("max_staleness", &engine.max_staleness);
    section->Read("blind_after", &engine.blind_after);
    section->Read("report_every", &engine.report_every);
    section->Read("audit_every", &engine.audit_every, Duration::zero());
    section->Read("max_rows", &engine.max_rows, std::size_t{1}, std::size_t{1} << 32);
    section->Read("stop_timeout", &config_.stop_timeout);
    if (engine.report_every >= engine.blind_after) {
      section->Refuse("report_every", "must be shorter than blind_after, or every report is late");
    }
    if (Section* const publish = section->Child("publish"); publish != nullptr) {
      ReadPublish(*publish, &engine.publish);
    }
  }

  static void ReadPublish(Section& section, PublisherOptions* options) {
    section.Read("ring_slots", &options->ring_slots, std::size_t{16}, std::size_t{1} << 28);
    section.Read("wake", &options->wake);
    section.ReadSize("batch_size", &options->batch_size, 1024);
    section.Read("window", &options->window, std::size_t{1}, std::size_t{4096});
    section.Read("max_pending", &options->max_pending, std::size_t{1});
    section.Read("drain_every", &options->drain_every);
    section.Read("drain_idle", &options->drain_idle);
    section.Read("idle_after", &options->idle_after);
    section.Read("heartbeat", &options->heartbeat);
    section.Read("retry_min", &options->retry_min);
    section.Read("retry_max", &options->retry_max);
    section.Read("resync_min", &options->resync_min);
    section.Read("resync_max", &options->resync_max);
    section.Read("erase_linger", &options->erase_linger, Duration::zero());
    section.Read("burst_within", &options->burst_within);
    section.Read("burst_share", &options->burst_share, 0.0, 1.0);
    section.Read("burst_min", &options->burst_min, std::size_t{1});
  }

  void ReadStore() {
    Section* const section = root_.Child("store");
    if (section == nullptr) {
      problems_.Add(Place{}, "store",
                    "needs a section [store] with a url such as \"memory:\" or "
                    "\"file:/var/lib/mimi/edge1\"");
      return;
    }
    std::string url;
    if (!section->Require("url") || !section->Read("url", &url)) {
      section->Abandon();
      return;
    }
    config_.store_url = WithoutPassword(url);
    config_.store = ReadKind<StateStore>(*section, "url", url.substr(0, url.find(':')),
                                         kinds_.stores, context_);
  }

  void ReadBox(std::string_view key, Side side, BoxConfig* box) {
    box->node = fmt::format("{}.{}", config_.pair, key);
    Section* const section = root_.Child(key);
    if (section == nullptr) {
      return;
    }
    ReadContext context = context_;
    context.side = side;
    section->Read("node", &box->node);
    // The minion's own kind stands in [minion] itself: it is what the section is for.
    if (side == Side::kMinion && section->Has("kind")) {
      Add(ReadPart(*section, kinds_.minions, context), &box->minions);
    }
    for (Section* const sink : section->Children("minion")) {
      Add(ReadPart(*sink, kinds_.minions, context), &box->minions);
    }
    for (Section* const driver : section->Children("driver")) {
      Add(ReadPart(*driver, kinds_.drivers, context), &box->drivers);
    }
    for (Section* const beacon : section->Children("beacon")) {
      context.node = box->node;
      box->beacons.push_back(ReadKind<Liveness>(*beacon, "", "heartbeat", kinds_.beacons, context));
    }
  }

  template <class T>
  static void Add(std::optional<Part<T>> part, std::vector<Part<T>>* parts) {
    if (part) {
      parts->push_back(*std::move(part));
    }
  }

  void ReadSurfaces() {
    if (Section* const control = root_.Child("control"); control != nullptr) {
      control->Read("socket", &config_.control.socket);
      control->Read("group", &config_.control.group);
    }
    if (Section* const http = root_.Child("http"); http != nullptr) {
      config_.http.listen = Endpoint{Ipv4{{127, 0, 0, 1}}, 9464};
      Endpoint listen;
      if (http->Read("listen", &listen)) {
        config_.http.listen = listen;
      }
      if (http->Read("token_file", &config_.http.token_file)) {
        config_.http.token_file = context_.Path(config_.http.token_file);
      }
    }
    if (Section* const log = root_.Child("log"); log != nullptr) {
      constexpr Choice<LogLevel> kLevels[] = {{"debug", LogLevel::kDebug},
                                              {"info", LogLevel::kInfo},
                                              {"warning", LogLevel::kWarning},
                                              {"error", LogLevel::kError}};
      log->Read("level", &config_.log.level, std::span<const Choice<LogLevel>>(kLevels));
      if (log->Read("events", &config_.log.events)) {
        config_.log.events = context_.Path(config_.log.events);
      }
    }
  }

  Section& root_;
  Config& config_;
  const Kinds& kinds_;
  Problems& problems_;
  ReadContext context_;
};

}  // namespace

absl::StatusOr<Part<StateStore>> ReadStoreUrl(
    std::string_view url, std::string_view pair, const Kinds& kinds,
    const std::vector<std::pair<std::string, bool>>& flags) {
  Node node;
  node.kind = Node::Kind::kTable;
  internal::Member& member = node.members.emplace_back();
  member.name = "url";
  member.value.kind = Node::Kind::kText;
  member.value.text = url;
  for (const auto& [name, value] : flags) {
    internal::Member& flag = node.members.emplace_back();
    flag.name = name;
    flag.value.kind = Node::Kind::kBool;
    flag.value.boolean = value;
  }
  Problems problems("command line");
  Section section(node, {}, "store", problems);
  ReadContext context;
  context.pair = pair;
  context.directory = ".";
  Part<StateStore> part = ReadKind<StateStore>(
      section, "url", std::string(url.substr(0, url.find(':'))), kinds.stores, context);
  const absl::Status status = problems.status();
  if (!status.ok()) {
    return status;
  }
  return part;
}

absl::StatusOr<Config> ReadConfig(std::string_view text, std::string_view file, const Kinds& kinds,
                                  Roles roles) {
  const absl::StatusOr<Node> document = internal::ParseToml(text, file);
  if (!document.ok()) {
    return document.status();
  }
  Config config;
  config.file = file;
  absl::StatusOr<std::vector<StateSchema>> schemas = document->Find("schema") == nullptr
                                                         ? std::vector<StateSchema>()
                                                         : SchemasFromToml(text, file);
  if (!schemas.ok()) {
    return schemas.status();
  }
  config.schemas = *std::move(schemas);
  Problems problems(file);
  Section root(*document, {}, "", problems);
  root.Ignore("schema");
  Reader(root, config, kinds, problems).Read(roles);
  root.Finish();
  const absl::Status status = problems.status();
  if (!status.ok()) {
    return status;
  }
  return config;
}

}  // namespace mimi::config
