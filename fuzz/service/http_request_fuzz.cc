// Hostile HTTP: never more is consumed than is there, and a request is the same when it comes in
// pieces.
#include <cstdlib>
#include <string_view>

#include "fuzz/fuzz.h"
#include "src/service/http_request.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mimi::service::HttpParse;
  const void* const bytes = data;
  const std::string_view input(static_cast<const char*>(bytes), size);
  const HttpParse whole = mimi::service::ParseHttpRequest(input);
  if (whole.consumed > size || (whole.error != 0 && whole.consumed != 0)) {
    std::abort();
  }
  if (whole.consumed > 0) {
    const HttpParse again = mimi::service::ParseHttpRequest(input.substr(0, whole.consumed));
    const HttpParse less = mimi::service::ParseHttpRequest(input.substr(0, whole.consumed - 1));
    if (again.consumed != whole.consumed || again.request.path != whole.request.path ||
        less.consumed != 0 || less.error != 0) {
      std::abort();
    }
  }
  return 0;
}
