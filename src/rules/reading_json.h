#ifndef MIMI_SRC_RULES_READING_JSON_H_
#define MIMI_SRC_RULES_READING_JSON_H_

// What a line meant, as a JSON object: `mimi parse`, and the tests of packs.
//
// Threads: any.

#include <cstdint>
#include <string>
#include <string_view>

#include "src/rules/line_reader.h"

namespace mimi::rules {

/// "put", "erase", "note".
std::string_view ActionName(Action action);

/// Appends {"line": …, "pattern": …, "op": …, fields of the row, whatever else the line told}.
/// `reading` is the reader's last, and it matched.
void AppendReadingJson(std::uint64_t line, const Reading& reading, const LineReader& reader,
                       std::string* json);

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_READING_JSON_H_
