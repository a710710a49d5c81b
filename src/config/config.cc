#include "src/config/config.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/suggest.h"
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

template <class T>
std::string KnownKinds(std::span<const Kind<T>> kinds, std::vector<std::string_view>* names) {
  for (const Kind<T>& kind : kinds) {
    names->push_back(kind.name);
  }
  return names->empty() ? "none" : Listed(*names);
}

// Finds the kind, reads its section. `name` is what the file said, under `key`.
template <class T>
Part<T> ReadKind(Section& section, std::string_view key, const std::string& name,
                 std::span<const Kind<T>> kinds, ReadContext context) {
  Part<T> part;
  part.kind = name;
  part.path = section.path();
  part.place = section.PlaceOf(key);
  const auto kind = std::ranges::find(kinds, name, &Kind<T>::name);
  if (kind == kinds.end() || kind->read == nullptr) {
    std::vector<std::string_view> names;
    const std::string known = KnownKinds(kinds, &names);
    section.Refuse(key, kind != kinds.end()
                            ? fmt::format("\"{}\": {}", name, kind->summary)
                            : fmt::format("unknown {} \"{}\"{}; this program knows {}", key,
                                          Shortened(name), DidYouMean(name, names), known));
    section.Abandon();
    return part;
  }
  context.needs = &part.needs;
  part.build = kind->read(section, context);
  return part;
}

template <class T>
std::optional<Part<T>> ReadPart(Section& section, std::span<const Kind<T>> kinds,
                                const ReadContext& context) {
  std::string name;
  if (!section.Require("kind") || !section.Read("kind", &name)) {
    section.Abandon();
    return std::nullopt;
  }
  return ReadKind(section, "kind", name, kinds, context);
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
    ReadManager();
    ReadSurfaces();
    ReadRoles(chosen);
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

  void ReadManager() {
    Section* const section = root_.Child("manager");
    Section* const steering = root_.Child("steering");
    const std::vector<Section*> liveness = root_.Children("liveness");
    if (steering != nullptr) {
      steering_ = ReadPart(*steering, kinds_.steerings, context_);
      // Every process of the pair has to know whether the boxes share their claims.
      config_.engine.shared_claims = steering_ && steering_->kind == "passive";
    }
    std::vector<Part<Liveness>> watchers;
    for (Section* const watcher : liveness) {
      ReadLiveness(*watcher, &watchers);
    }
    if (section == nullptr) {
      if (!liveness.empty()) {
        problems_.Add(liveness.front()->place(), "liveness",
                      "is for a manager, but there is no section [manager]");
      }
      return;
    }
    ManagerConfig& manager = config_.manager.emplace();
    manager.steering = std::move(steering_);
    manager.liveness = std::move(watchers);
    ReadManagerOptions(*section, &manager);
    if (steering == nullptr) {
      problems_.Add(section->place(), "manager",
                    "needs a section [steering] that says how traffic is moved");
    }
  }

  void ReadManagerOptions(Section& section, ManagerConfig* manager) {
    ManagerOptions& options = manager->options;
    section.Read("node", &options.node);
    section.Read("lease_ttl", &options.lease_ttl, std::chrono::milliseconds(100));
    section.Read("step_timeout", &options.step_timeout);
    section.Read("short_tail", &options.short_tail);
    section.Read("restore_without_state", &options.restore_without_state);
    section.Read("source_silence", &options.source_silence, Duration::zero());
    section.Read("sole", &options.sole);
    section.Read("liveness_priority", &config_.liveness_priority, 0, 99);
    ReadDownWhen(section, manager);
    std::string policy = "immediate";
    section.Read("policy", &policy);
    manager->policy =
        ReadKind<FailoverPolicy>(section, "policy", policy, kinds_.policies, context_);
  }

  static void ReadDownWhen(Section& section, ManagerConfig* manager) {
    const Node* const node = section.Raw("down_when");
    if (node == nullptr) {
      return;
    }
    if (node->kind == Node::Kind::kText && (node->text == "any" || node->text == "all")) {
      manager->down_when = node->text == "any" ? 1 : 0;
      return;
    }
    const bool is_count = node->kind == Node::Kind::kInteger && !node->negative &&
                          node->magnitude >= 1 &&
                          node->magnitude <= std::max<std::size_t>(1, manager->liveness.size());
    if (!is_count) {
      section.Refuse("down_when",
                     fmt::format("expected \"any\", \"all\", or how many of the {} [[liveness]] "
                                 "have to agree",
                                 manager->liveness.size()));
      return;
    }
    manager->down_when = static_cast<int>(node->magnitude);
  }

  void ReadLiveness(Section& section, std::vector<Part<Liveness>>* parts) {
    constexpr Choice<Side> kBoxes[] = {{"primary", Side::kPrimary}, {"minion", Side::kMinion}};
    ReadContext context = context_;
    section.Read("box", &context.side, std::span<const Choice<Side>>(kBoxes));
    context.node = context.side == Side::kPrimary ? config_.primary.node : config_.minion.node;
    std::optional<Part<Liveness>> part = ReadPart(section, kinds_.liveness, context);
    if (part) {
      part->side = context.side;
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

  void ReadRoles(Roles chosen) {
    const auto configured = [this](const BoxConfig& box, Role role) {
      if (!box.drivers.empty() || !box.minions.empty()) {
        config_.configured = static_cast<Roles>(config_.configured | static_cast<Roles>(role));
      }
    };
    configured(config_.primary, Role::kDriver);
    configured(config_.minion, Role::kMinion);
    if (config_.manager) {
      config_.configured =
          static_cast<Roles>(config_.configured | static_cast<Roles>(Role::kManager));
    }
    config_.roles = config_.configured;
    std::vector<std::string> words;
    if (root_.Read("roles", &words)) {
      config_.roles = ParseRoles(words);
    }
    if (chosen != 0) {
      config_.roles = chosen;
    }
    if (!problems_.empty()) {
      return;  // a section with a mistake may be the one that is missing
    }
    if (config_.configured == 0) {
      problems_.Add(Place{}, "", "nothing to run: needs [primary.driver], [minion] or [manager]");
    }
    for (const Role role : kAllRoles) {
      if (Has(config_.roles, role) && !Has(config_.configured, role)) {
        problems_.Add(root_.PlaceOf("roles"), "roles",
                      fmt::format("\"{}\" is to run here, but the file has nothing for it: {}",
                                  RoleName(role), Missing(role)));
      }
    }
  }

  static std::string_view Missing(Role role) {
    switch (role) {
      case Role::kDriver:
        return "[primary.driver]";
      case Role::kMinion:
        return "[minion] with a kind";
      case Role::kManager:
        return "[manager]";
    }
    return "";
  }

  Roles ParseRoles(const std::vector<std::string>& words) {
    Roles roles = 0;
    constexpr std::string_view kNames[] = {"driver", "minion", "manager"};
    for (const std::string& word : words) {
      const std::optional<Role> role = RoleNamed(word);
      if (!role) {
        root_.Refuse("roles", fmt::format("unknown role \"{}\"{}; expected {}", Shortened(word),
                                          DidYouMean(word, kNames), Listed(kNames)));
        continue;
      }
      roles = static_cast<Roles>(roles | static_cast<Roles>(*role));
    }
    return roles == 0 ? config_.configured : roles;
  }

  Section& root_;
  Config& config_;
  const Kinds& kinds_;
  Problems& problems_;
  ReadContext context_;
  std::optional<Part<Steering>> steering_;
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
