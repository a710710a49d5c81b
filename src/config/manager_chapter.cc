// Who manages a pair: [manager], [steering], [[liveness]].
#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "src/config/chapters.h"
#include "src/config/read_kind.h"

namespace mimi::config {
namespace {

using internal::Node;

void ReadLiveness(Section& section, const Config& config, const Kinds& kinds, ReadContext context,
                  std::vector<Part<Liveness>>* parts) {
  constexpr Choice<Side> kBoxes[] = {{"primary", Side::kPrimary}, {"minion", Side::kMinion}};
  section.Read("box", &context.side, std::span<const Choice<Side>>(kBoxes));
  context.node = context.side == Side::kPrimary ? config.primary.node : config.minion.node;
  std::optional<Part<Liveness>> part = ReadPart(section, kinds.liveness, context);
  if (part) {
    part->side = context.side;
    parts->push_back(*std::move(part));
  }
}

void ReadDownWhen(Section& section, ManagerConfig* manager) {
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

void ReadOptions(Section& section, ManagerConfig* manager) {
  ManagerOptions& options = manager->options;
  section.Read("node", &options.node);
  section.Read("lease_ttl", &options.lease_ttl, std::chrono::milliseconds(100));
  section.Read("step_timeout", &options.step_timeout);
  section.Read("short_tail", &options.short_tail);
  section.Read("restore_without_state", &options.restore_without_state);
  section.Read("source_silence", &options.source_silence, Duration::zero());
  section.Read("sole", &options.sole);
  ReadDownWhen(section, manager);
}

}  // namespace

void ReadManager(Section& root, const Kinds& kinds, const ReadContext& context, Config* config) {
  Section* const section = root.Child("manager");
  Section* const steering = root.Child("steering");
  const std::vector<Section*> liveness = root.Children("liveness");
  std::optional<Part<Steering>> moves;
  if (steering != nullptr) {
    moves = ReadPart(*steering, kinds.steerings, context);
    // Every process of the pair has to know whether the boxes share their claims.
    config->engine.shared_claims = moves && moves->kind == "passive";
  }
  std::vector<Part<Liveness>> watchers;
  for (Section* const watcher : liveness) {
    ReadLiveness(*watcher, *config, kinds, context, &watchers);
  }
  if (section == nullptr) {
    if (!liveness.empty()) {
      root.problems().Add(liveness.front()->place(), "liveness",
                          "is for a manager, but there is no section [manager]");
    }
    return;
  }
  ManagerConfig& manager = config->manager.emplace();
  manager.steering = std::move(moves);
  manager.liveness = std::move(watchers);
  ReadOptions(*section, &manager);
  section->Read("liveness_priority", &config->liveness_priority, 0, 99);
  std::string policy = "immediate";
  section->Read("policy", &policy);
  manager.policy = ReadKind<FailoverPolicy>(*section, "policy", policy, kinds.policies, context);
  if (steering == nullptr) {
    root.problems().Add(section->place(), "manager",
                        "needs a section [steering] that says how traffic is moved");
  }
}

}  // namespace mimi::config
