#include "bindings/c/wall.h"

#include <ctime>

namespace mimi::c {

mimi_status CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return static_cast<mimi_status>(status.code());  // the same numbers, see below
    default:
      return MIMI_INTERNAL;
  }
}
static_assert(MIMI_INVALID_ARGUMENT == int{static_cast<int>(absl::StatusCode::kInvalidArgument)});
static_assert(MIMI_NOT_FOUND == static_cast<int>(absl::StatusCode::kNotFound));
static_assert(MIMI_RESOURCE_EXHAUSTED == static_cast<int>(absl::StatusCode::kResourceExhausted));
static_assert(MIMI_FAILED_PRECONDITION == static_cast<int>(absl::StatusCode::kFailedPrecondition));
static_assert(MIMI_ABORTED == static_cast<int>(absl::StatusCode::kAborted));
static_assert(MIMI_UNIMPLEMENTED == static_cast<int>(absl::StatusCode::kUnimplemented));
static_assert(MIMI_INTERNAL == static_cast<int>(absl::StatusCode::kInternal));
static_assert(MIMI_UNAVAILABLE == static_cast<int>(absl::StatusCode::kUnavailable));
static_assert(MIMI_DATA_LOSS == static_cast<int>(absl::StatusCode::kDataLoss));

mimi_status Report(mimi_status status, std::string_view message, mimi_error* error) {
  if (error != nullptr) {
    error->status = status;
    CopyText(message, error->message);
  }
  return status;
}

mimi_status Report(const absl::Status& status, mimi_error* error) {
  return Report(CodeOf(status), Message(status), error);
}

absl::Status FromC(mimi_status status, std::string_view message) {
  if (status == MIMI_OK) {
    return absl::OkStatus();
  }
  const auto code = static_cast<absl::StatusCode>(status);
  if (CodeOf(absl::Status(code, "")) != status) {
    return Error(absl::StatusCode::kInternal, "{} (the back end answered {}, which is no status)",
                 message, status);
  }
  return {code, ToAbsl(message)};
}

absl::Status FromC(mimi_status status, const mimi_error& error, std::string_view what) {
  const std::string text = TextOf(error.message);
  return FromC(status, text.empty() ? what : std::string_view(text));
}

absl::Status CheckNeeded(std::initializer_list<Needed> needed) {
  for (const Needed& one : needed) {
    if (!one.there) {
      return Error(absl::StatusCode::kInvalidArgument, "{} is NULL", one.name);
    }
  }
  return absl::OkStatus();
}

absl::Status GiveText(std::string_view text, char* buffer, std::size_t capacity,
                      std::size_t* length) {
  *length = text.size();
  if (buffer == nullptr || capacity <= text.size()) {
    return Error(absl::StatusCode::kResourceExhausted, "buffer has {} bytes, {} are needed",
                 buffer == nullptr ? 0 : capacity, text.size() + 1);
  }
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  return absl::OkStatus();
}

absl::Status GiveBytes(std::string_view bytes, void* buffer, std::size_t capacity,
                       std::size_t* length) {
  *length = bytes.size();
  if (buffer == nullptr || capacity < bytes.size()) {
    return Error(absl::StatusCode::kResourceExhausted, "buffer has {} bytes, {} are needed",
                 buffer == nullptr ? 0 : capacity, bytes.size());
  }
  std::memcpy(buffer, bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status TakeBytes(const void* from, std::size_t first, std::size_t ours, void* to,
                       std::string_view name) {
  std::memset(to, 0, ours);
  if (from == nullptr) {
    return absl::OkStatus();
  }
  std::size_t size;
  std::memcpy(&size, from, sizeof size);
  if (size < first) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "{}.size is {}, expected at least {} (initialise it with MIMI_INIT)", name, size,
                 first);
  }
  const auto* bytes = static_cast<const unsigned char*>(from);
  for (std::size_t i = ours; i < size; ++i) {
    if (bytes[i] != 0) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "{}: byte {} is set, which this library ({}) does not know", name, i,
                   MIMI_VERSION);
    }
  }
  std::memcpy(to, from, std::min(size, ours));
  return absl::OkStatus();
}

absl::Status GiveStructBytes(const void* from, std::size_t ours, void* to, std::string_view name) {
  std::size_t size;
  std::memcpy(&size, to, sizeof size);
  if (size < sizeof size) {
    return Error(absl::StatusCode::kInvalidArgument, "{}.size is {}: initialise it with MIMI_INIT",
                 name, size);
  }
  const std::size_t known = std::min(size, ours);
  auto* bytes = static_cast<unsigned char*>(to);
  std::memcpy(bytes + sizeof size, static_cast<const unsigned char*>(from) + sizeof size,
              known - sizeof size);
  std::memset(bytes + known, 0, size - known);
  return absl::OkStatus();
}

}  // namespace mimi::c

using namespace mimi::
    c;  // NOLINT(google-build-using-namespace): every body below is one of its calls

const char* mimi_version(void) {
  return MIMI_VERSION;
}

const char* mimi_status_name(mimi_status status) {
  switch (status) {
    case MIMI_OK:
      return "OK";
    case MIMI_INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case MIMI_NOT_FOUND:
      return "NOT_FOUND";
    case MIMI_RESOURCE_EXHAUSTED:
      return "RESOURCE_EXHAUSTED";
    case MIMI_FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case MIMI_ABORTED:
      return "ABORTED";
    case MIMI_UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case MIMI_INTERNAL:
      return "INTERNAL";
    case MIMI_UNAVAILABLE:
      return "UNAVAILABLE";
    case MIMI_DATA_LOSS:
      return "DATA_LOSS";
    default:
      return "UNKNOWN";
  }
}

int64_t mimi_now_ns(void) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}
