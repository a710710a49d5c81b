#ifndef MIMI_SRC_CLI_COMMANDS_H_
#define MIMI_SRC_CLI_COMMANDS_H_

// The commands of the program, each with its exit code: 0 done, 1 failed or the pair is not ready,
// 2 usage or configuration.
//
// Threads: one at a time.

#include <cstdint>
#include <string>
#include <vector>

namespace mimi::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

/// What several commands share.
struct CommonOptions {
  std::string pair;
  std::string socket;
  bool json = false;
};

struct RunOptions {
  std::string config;
  std::vector<std::string> roles;  ///< empty: those of the configuration
  std::string log_level;           ///< empty: the configuration's
};
int RunCommand(const RunOptions& options);

/// Also says which right each line needs.
int CheckCommand(const RunOptions& options, bool json);

struct StatusOptions {
  CommonOptions common;
  bool watch = false;
};
int StatusCommand(const StatusOptions& options);

struct FlowsOptions {
  CommonOptions common;
  std::string table;
  std::uint64_t limit = 0;
};
int FlowsCommand(const FlowsOptions& options);

struct MoveOptions {
  CommonOptions common;
  bool dry_run = false;
  bool restore = false;
};
int MoveCommand(const MoveOptions& options);

struct AuditOptions {
  CommonOptions common;
  std::string box = "minion";
};
int AuditCommand(const AuditOptions& options);

struct EventsOptions {
  CommonOptions common;
  bool follow = false;
};
int EventsCommand(const EventsOptions& options);

int ReloadCommand(const CommonOptions& options);

struct ParseOptions {
  std::vector<std::string> packs;
  std::vector<std::string> rule_files;
  std::string pack_directory;  ///< empty: the usual places
  std::string schema;          ///< a file with the rows' schema; empty: mimi.flow
  bool refused = false;        ///< also an object for each line that a rule claims and cannot read
  std::string file;            ///< empty or "-": standard input
};
/// One JSON object for each line that meant something; counts on standard error.
int ParseCommand(const ParseOptions& options);

struct StoreInfoOptions {
  std::string url;
  std::string pair;
  bool json = false;
};
int StoreInfoCommand(const StoreInfoOptions& options);

struct MinionRemoveOptions {
  std::string pair;
  std::string socket;
  std::string network_namespace;  ///< empty: this one
  std::string state_directory;    ///< empty: the default
  bool force = false;
};
int MinionRemoveCommand(const MinionRemoveOptions& options);

}  // namespace mimi::cli

#endif  // MIMI_SRC_CLI_COMMANDS_H_
