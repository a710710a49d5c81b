// Hostile lines at the control socket: an answer to any of them is one line of JSON.
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "src/service/control_protocol.h"
#include "src/state/document.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const void* const bytes = data;
  std::uint64_t id = 0;
  const auto request = mimi::service::ParseControlRequest(
      std::string_view(static_cast<const char*>(bytes), size), &id);
  if (request.ok()) {
    if (request->id != id || mimi::service::ControlVerbName(request->verb) == "?") {
      std::abort();
    }
    return 0;
  }
  const std::string answer = mimi::service::ControlError(id, request.status());
  if (answer.find('\n') != answer.size() - 1 || !mimi::internal::ParseJson(answer, "answer").ok()) {
    std::abort();
  }
  return 0;
}
