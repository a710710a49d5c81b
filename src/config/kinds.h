#ifndef MIMI_SRC_CONFIG_KINDS_H_
#define MIMI_SRC_CONFIG_KINDS_H_

// Kinds: how a configuration's `kind = "…"` becomes a part, without this room knowing any of them.
//
// A kind is a name, a sentence, and one function that reads its section and answers with how to
// build the part. Reading happens for the whole file, before anything is made, so that `mimi check`
// sees every mistake; building happens only for the roles that a process has.
//
//   Build<Steering> ReadCommandSteering(Section& section, ReadContext& context) {
//     CommandSteeringOptions options;
//     section.Require("divert");
//     section.Read("divert", &options.divert);
//     return [options](BuildContext& build) { return Made(NewCommandSteering(options, build.loop)); };
//   }
//
// Threads: one at a time.

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/driver.h"
#include "mimi/failover.h"
#include "mimi/liveness.h"
#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/minion.h"
#include "mimi/schema.h"
#include "mimi/steering.h"
#include "mimi/store.h"

#include "src/config/section.h"

namespace mimi::config {

/// A right that a part cannot do without: a Linux capability by its name, and for what.
struct Need {
  std::string right;
  std::string why;
};

/// What a reader may look at besides its section.
struct ReadContext {
  std::string pair;
  /// Which box the part belongs to or watches; primary where that has no meaning.
  Side side = Side::kPrimary;
  std::string node = {};  ///< of that box
  std::string directory;  ///< of the configuration; relative paths start here
  const std::vector<StateSchema>* schemas = nullptr;
  std::vector<Need>* needs = nullptr;  ///< append

  void Needs(std::string right, std::string why) {
    needs->push_back({std::move(right), std::move(why)});
  }
  /// A relative path, from the configuration's directory.
  std::string Path(const std::string& path) const {
    return path.empty() || path.front() == '/' ? path : directory + "/" + path;
  }
  /// The table that `key` names; "mimi.flow" when it is not there.
  StateSchema ReadTable(Section& section, std::string_view key = "table") const;
};

/// What several parts of one kind may share, by a name that they make up.
using SharedParts = std::map<std::string, std::shared_ptr<void>>;

/// What a part is built with.
struct BuildContext {
  Loop& loop;
  std::string pair;
  std::string node;  ///< of the box that it serves
  LogCallback log;
  /// The minions of this box that run here: what a driver beside them has to tell from traffic.
  std::vector<Minion*> minions = {};
  /// Whether the parts of this process that serve the box find themselves well. Any thread.
  std::function<bool()> well = nullptr;
  std::shared_ptr<SharedParts> shared = nullptr;
};

/// A part, what it stands on, and what SIGHUP does to it.
template <class T>
struct Made {
  std::shared_ptr<void> base = nullptr;  ///< outlives the part
  std::unique_ptr<T> part;
  std::function<absl::Status()> reload = nullptr;

  explicit Made(std::unique_ptr<T> made) : part(std::move(made)) {}
};

template <class T>
using Build = std::function<absl::StatusOr<Made<T>>(BuildContext& build)>;

/// For factories that answer with a StatusOr.
template <class T>
absl::StatusOr<Made<T>> MadeFrom(absl::StatusOr<std::unique_ptr<T>> made) {
  if (!made.ok()) {
    return made.status();
  }
  return Made<T>(*std::move(made));
}

template <class T>
struct Kind {
  std::string_view name;  ///< for a store: the scheme of its URL
  std::string_view summary;
  /// Null: this program was built without it; `summary` says which option brings it.
  Build<T> (*read)(Section& section, ReadContext& context) = nullptr;
};

/// Every kind that the program knows; src/cli/kinds.cc has the list.
struct Kinds {
  /// The section of a store also holds its `url`.
  std::span<const Kind<StateStore>> stores;
  std::span<const Kind<Driver>> drivers;
  std::span<const Kind<Minion>> minions;
  /// The section of a policy is [manager].
  std::span<const Kind<FailoverPolicy>> policies;
  std::span<const Kind<Liveness>> liveness;
  std::span<const Kind<Liveness>> beacons;
  std::span<const Kind<Steering>> steerings;
};

/// A part as configured.
template <class T>
struct Part {
  std::string kind;
  std::string path;            ///< "minion.driver"
  Side side = Side::kPrimary;  ///< of a liveness: the box that it watches
  internal::Place place;
  std::vector<Need> needs;
  Build<T> build;
};

}  // namespace mimi::config

#endif  // MIMI_SRC_CONFIG_KINDS_H_
