// Answers of a hostile web server: an answer in pieces is understood as the whole one is, and no
// later than at its first line's end.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fuzz/fuzz.h"
#include "src/wire/http_status.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mimi::internal::HttpStatusProgress;
  const void* const bytes = data;
  const std::string_view input(static_cast<const char*>(bytes), size);
  int whole_status = -1;
  const HttpStatusProgress whole = mimi::internal::ParseHttpStatus(input, &whole_status);
  if ((whole == HttpStatusProgress::kDone) != (whole_status >= 0 && whole_status <= 999)) {
    std::abort();
  }
  for (std::size_t some = 0; some <= size; ++some) {
    int status = -1;
    const HttpStatusProgress seen = mimi::internal::ParseHttpStatus(input.substr(0, some), &status);
    if (seen != HttpStatusProgress::kMore) {
      if (seen != whole || status != whole_status) {
        std::abort();
      }
      return 0;
    }
  }
  if (whole != HttpStatusProgress::kMore) {
    std::abort();
  }
  return 0;
}
