#ifndef MIMI_SRC_RULES_SOURCE_TEXT_H_
#define MIMI_SRC_RULES_SOURCE_TEXT_H_

// Places in the text of a rule file, and messages that show them.
//
// Threads: any.

#include <string>
#include <string_view>

#include "src/base/document.h"

namespace mimi::rules {

/// Where byte `offset` of the text that a TOML string at `place` stands for is in the file: what is
/// escaped, folded or in several lines is counted as it stands there.
internal::Place PlaceInString(std::string_view file, internal::Place place, std::size_t offset);

/// `what`, and below it the line of the file with a caret.
std::string WithCaret(std::string_view file, internal::Place place, std::string_view what);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_SOURCE_TEXT_H_
