#ifndef MIMI_SRC_BASE_DURATION_TEXT_H_
#define MIMI_SRC_BASE_DURATION_TEXT_H_

#include <string>

#include "mimi/types.h"

namespace mimi {

/// A length of time for people: "850 µs", "31 ms", "1.2 s", "40 s", "12 min", "5 h", "3 d".
/// Negative is "0 ms".
std::string DurationText(Duration duration);

}  // namespace mimi

#endif  // MIMI_SRC_BASE_DURATION_TEXT_H_
