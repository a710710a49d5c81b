#ifndef MIMI_SRC_CONFIG_VALUES_H_
#define MIMI_SRC_CONFIG_VALUES_H_

// Texts of a configuration as messages show them.
//
// Threads: any.

#include <span>
#include <string>
#include <string_view>

namespace mimi::config {

/// At most 60 bytes of it, without control characters: configurations may hold anything.
std::string Shortened(std::string_view text);

/// `"a", "b" or "c"`.
std::string Listed(std::span<const std::string_view> words);

}  // namespace mimi::config

#endif  // MIMI_SRC_CONFIG_VALUES_H_
