#include "src/base/status.h"

#include <string>

namespace mimi {
namespace internal {

absl::Status FormatError(absl::StatusCode code, fmt::string_view format, fmt::format_args args) {
  return {code, fmt::vformat(format, args)};
}

}  // namespace internal

absl::Status Prepend(std::string_view context, const absl::Status& status) {
  if (status.ok()) {
    return status;
  }
  return Error(status.code(), "{}: {}", context, Message(status));
}

}  // namespace mimi
