#ifndef MIMI_SRC_RULES_TEMPLATE_COMPILER_H_
#define MIMI_SRC_RULES_TEMPLATE_COMPILER_H_

// From the text of a template to a Program.
//
// Threads: any.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/rules/program.h"

namespace mimi::rules {

/// A rule's variables: a name's place is its index in Values.
class VariableNames {
 public:
  /// nullopt: there are kMaxVariables already.
  std::optional<std::uint8_t> Add(std::string_view name);
  std::optional<std::uint8_t> Find(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
};

struct TemplateContext {
  const std::map<std::string, std::string, std::less<>>* parts = nullptr;  ///< for {@name}
  const std::map<std::string, EnumTable, std::less<>>* enums = nullptr;
  bool pairs_allowed = false;
};

struct TemplateMistake {
  std::size_t offset = 0;  ///< in the template
  std::string what;
};

/// Names in the template become variables.
std::optional<TemplateMistake> CompileTemplate(std::string_view text,
                                               const TemplateContext& context,
                                               VariableNames* variables, Program* program);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_TEMPLATE_COMPILER_H_
