#ifndef MIMI_SRC_RULES_PACK_FILES_H_
#define MIMI_SRC_RULES_PACK_FILES_H_

// Where rule files come from: shipped packs by their name, others by their path.
//
// Threads: any.

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "src/rules/rule_set.h"

namespace mimi::rules {

/// Where packs are looked for: `directory` if it is not empty; else $MIMI_PACKS, beside the program
/// (../share/mimi/packs), where they were installed.
std::vector<std::string> PackDirectories(const std::string& directory);

/// The text of the pack `name`. Errors: InvalidArgument (no name of a pack), NotFound, which names
/// those that are there.
absl::StatusOr<RuleText> ReadPackFile(const std::string& name, const std::string& directory);

/// Errors: NotFound, InvalidArgument (a directory, or longer than a megabyte), Unavailable.
absl::StatusOr<RuleText> ReadRuleFile(const std::string& path);

/// Files, then packs. Errors: of the first that cannot be read.
absl::StatusOr<std::vector<RuleText>> ReadRules(const std::vector<std::string>& files,
                                                const std::vector<std::string>& packs,
                                                const std::string& pack_directory);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_PACK_FILES_H_
