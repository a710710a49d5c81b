#include "mimi/typed.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {

const StateSchema& KeepSchema(absl::StatusOr<StateSchema> schema) {
  if (!schema.ok()) {
    // A mistake in the program text, like a failed assertion; the one place that ends a program.
    const std::string_view why = Message(schema.status());
    std::fprintf(stderr, "mimi: this struct cannot be a row:\n%.*s\n", static_cast<int>(why.size()),
                 why.data());
    std::abort();
  }
  return *new StateSchema(*std::move(schema));
}

}  // namespace mimi::internal
