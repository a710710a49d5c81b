#ifndef MIMI_SRC_BASE_UTF8_H_
#define MIMI_SRC_BASE_UTF8_H_

#include <string_view>

namespace mimi {

/// Whether `text` is UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing above
/// U+10FFFF.
bool IsUtf8(std::string_view text);

}  // namespace mimi

#endif  // MIMI_SRC_BASE_UTF8_H_
