#include "src/cli/parts.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "src/base/status.h"

namespace mimi::cli {
namespace {

using config::BuildContext;
using config::Config;
using config::Made;
using config::Part;

class Builder {
 public:
  Builder(const Config& config, BuildContext context, Parts* parts)
      : config_(config), context_(std::move(context)), parts_(parts) {}

  template <class T>
  absl::StatusOr<std::unique_ptr<T>> Make(const Part<T>& part) {
    absl::StatusOr<Made<T>> made = part.build(context_);
    if (!made.ok()) {
      return AtPlace(config_, part.place, part.path, made.status());
    }
    if (made->base != nullptr) {
      parts_->bases.push_back(std::move(made->base));
    }
    if (made->reload) {
      parts_->reloads.push_back(std::move(made->reload));
    }
    return std::move(made->part);
  }

  absl::Status MakeBox(const config::BoxConfig& box, BoxOptions* options) {
    options->node = context_.node = box.node;
    context_.minions.clear();
    for (const auto& part : box.minions) {  // before the drivers, which may have to know them
      absl::StatusOr<std::unique_ptr<Minion>> minion = Make(part);
      if (!minion.ok()) {
        return minion.status();
      }
      options->minions.push_back(minion->get());
      context_.minions.push_back(minion->get());
      AddTable((*minion)->schema());
      parts_->minions.push_back(*std::move(minion));
    }
    for (const auto& part : box.drivers) {
      absl::StatusOr<std::unique_ptr<Driver>> driver = Make(part);
      if (!driver.ok()) {
        return driver.status();
      }
      options->drivers.push_back(driver->get());
      AddTable((*driver)->schema());
      parts_->drivers.push_back(*std::move(driver));
    }
    return absl::OkStatus();
  }

 private:
  void AddTable(const StateSchema& schema) {
    const bool known = std::ranges::any_of(
        parts_->tables, [&](const StateSchema& table) { return table.table() == schema.table(); });
    if (!known) {
      parts_->tables.push_back(schema);
    }
  }

  const Config& config_;
  BuildContext context_;
  Parts* parts_;
};

absl::Status BuildManager(const config::ManagerConfig& manager, Builder& builder, Parts* parts,
                          EngineOptions* options) {
  options->manager = manager.options;
  absl::StatusOr<std::unique_ptr<FailoverPolicy>> policy = builder.Make(manager.policy);
  if (!policy.ok()) {
    return policy.status();
  }
  parts->policy = *std::move(policy);
  absl::StatusOr<std::unique_ptr<Steering>> steering = builder.Make(*manager.steering);
  if (!steering.ok()) {
    return steering.status();
  }
  parts->steering = *std::move(steering);
  options->manager->policy = parts->policy.get();
  options->manager->steering = parts->steering.get();
  return absl::OkStatus();
}

}  // namespace

bool Parts::well() const {
  return std::ranges::all_of(minions, [](const auto& minion) { return minion->state().healthy; }) &&
         std::ranges::all_of(drivers, [](const auto& driver) { return driver->state().healthy; });
}

absl::Status AtPlace(const Config& config, const internal::Place& place, std::string_view path,
                     const absl::Status& status) {
  return Prepend(fmt::format("{}:{}:{}: {}", config.file, place.line, place.column, path), status);
}

absl::Status BuildParts(const Config& config, Loop& loop, const LogCallback& log, Parts* parts,
                        EngineOptions* options) {
  Builder builder(config, {.loop = loop, .pair = config.pair, .node = {}, .log = log}, parts);
  *options = config.engine;
  absl::StatusOr<std::unique_ptr<StateStore>> store = builder.Make(config.store);
  if (!store.ok()) {
    return store.status();
  }
  parts->store = *std::move(store);
  options->store = parts->store.get();
  // A box that is not served here still has its name: the manager has to know it.
  options->primary.node = config.primary.node;
  options->minion.node = config.minion.node;
  if (Has(config.roles, config::Role::kDriver)) {
    if (const absl::Status made = builder.MakeBox(config.primary, &options->primary); !made.ok()) {
      return made;
    }
  }
  if (Has(config.roles, config::Role::kMinion)) {
    if (const absl::Status made = builder.MakeBox(config.minion, &options->minion); !made.ok()) {
      return made;
    }
  }
  return Has(config.roles, config::Role::kManager)
             ? BuildManager(*config.manager, builder, parts, options)
             : absl::OkStatus();
}

}  // namespace mimi::cli
