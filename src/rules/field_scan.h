#ifndef MIMI_SRC_RULES_FIELD_SCAN_H_
#define MIMI_SRC_RULES_FIELD_SCAN_H_

// One value of a template: found in the line, and kept.
//
// Threads: any.

#include <cstddef>
#include <string_view>

#include "src/rules/program.h"

namespace mimi::rules {

struct FieldScan {
  Refusal refusal = Refusal::kNone;  ///< kNone: there is such a value
  std::size_t end = 0;               ///< behind it; else how far it could be followed
};

/// The value of `op`, which is a kField of `program`, at `at`.
FieldScan ScanField(const Program& program, const Op& op, std::string_view text, std::size_t at,
                    Values* values);

/// text[from, to) is the value.
inline void KeepText(const Op& op, std::string_view text, std::size_t from, std::size_t to,
                     Values* values) {
  if (op.slot == kNoSlot) {
    return;
  }
  Value& value = values->at[op.slot];
  value.kind = ValueKind::kText;
  value.text = {text.data() + from, to - from};
  values->present |= std::uint64_t{1} << op.slot;
}

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_FIELD_SCAN_H_
