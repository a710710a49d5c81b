#ifndef MIMI_BINDINGS_C_WALL_H_
#define MIMI_BINDINGS_C_WALL_H_

// What every function of the C ABI goes through: required pointers are checked, results are written
// only on success, statuses become numbers and text, and no exception gets out. This is one of the
// two named walls where exceptions of others (bad_alloc, cereal) end.
//
//   mimi_status mimi_store_apply(mimi_store* store, const mimi_batch* batch, uint64_t* position,
//                                mimi_error* error) {
//     return Call(error, {{store, "store"}, {batch, "batch"}, {position, "position"}},
//                 [&] { return Give(store->store->Apply(batch->view), position); });
//   }
//
// Threads: any.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "bindings/c/mimi.h"
#include "src/base/status.h"

namespace mimi::c {

mimi_status CodeOf(const absl::Status& status);
/// Writes the error, if there is one and the caller wants it, and returns its number.
mimi_status Report(const absl::Status& status, mimi_error* error);
mimi_status Report(mimi_status status, std::string_view message, mimi_error* error);
/// What a back end in C returned, as ours. `what` names the function.
absl::Status FromC(mimi_status status, const mimi_error& error, std::string_view what);
absl::Status FromC(mimi_status status, std::string_view message);

/// A pointer that must be there, and its name.
struct Needed {
  template <class T>
  Needed(T* pointer, const char* what) : there(pointer != nullptr), name(what) {}
  bool there;
  const char* name;
};
absl::Status CheckNeeded(std::initializer_list<Needed> needed);

template <class Body>
mimi_status Call(mimi_error* error, std::initializer_list<Needed> needed, Body&& body) noexcept {
  try {
    for (const Needed& one : needed) {
      if (!one.there) [[unlikely]] {
        return Report(CheckNeeded(needed), error);
      }
    }
    const absl::Status status = body();
    return status.ok() ? MIMI_OK : Report(status, error);
  } catch (const std::bad_alloc&) {
    return Report(MIMI_RESOURCE_EXHAUSTED, "out of memory", error);
  } catch (const std::exception& exception) {
    return Report(MIMI_INTERNAL, exception.what(), error);
  } catch (...) {
    return Report(MIMI_INTERNAL, "an exception of unknown type", error);
  }
}

template <class T, class Out>
absl::Status Give(absl::StatusOr<T> from, Out* to) {
  if (!from.ok()) {
    return from.status();
  }
  *to = static_cast<Out>(*std::move(from));
  return absl::OkStatus();
}
/// Makes a handle out of what `from` holds.
template <class Handle, class T>
absl::Status GiveNew(absl::StatusOr<T> from, Handle** to) {
  if (!from.ok()) {
    return from.status();
  }
  *to = new Handle{*std::move(from)};
  return absl::OkStatus();
}

/// Text with a NUL, or bytes without, into a buffer of the caller's.
absl::Status GiveText(std::string_view text, char* buffer, std::size_t capacity,
                      std::size_t* length);
absl::Status GiveBytes(std::string_view bytes, void* buffer, std::size_t capacity,
                       std::size_t* length);
template <std::size_t N>
void CopyText(std::string_view text, char (&to)[N]) {
  const std::size_t size = std::min(text.size(), N - 1);
  std::memcpy(to, text.data(), size);
  std::memset(to + size, 0, N - size);
}
template <std::size_t N>
std::string TextOf(const char (&from)[N]) {
  return {from, strnlen(from, N)};
}

/// Reads a struct that may be older (shorter) or newer (longer) than ours. `first` is the size of
/// the first release's. nullptr: all zero.
absl::Status TakeBytes(const void* from, std::size_t first, std::size_t ours, void* to,
                       std::string_view name);
template <class T>
absl::Status Take(const T* from, T* to, std::string_view name) {
  static_assert(std::is_trivially_copyable_v<T>);
  absl::Status status = TakeBytes(from, sizeof(T), sizeof(T), to, name);
  to->size = sizeof(T);
  return status;
}
/// Writes as much of `from` as the caller's struct has room for, zeros beyond what we know.
absl::Status GiveStructBytes(const void* from, std::size_t ours, void* to, std::string_view name);
template <class T>
absl::Status GiveStruct(const T& from, T* to, std::string_view name) {
  static_assert(std::is_trivially_copyable_v<T>);
  return GiveStructBytes(&from, sizeof(T), to, name);
}

inline std::span<const std::byte> SpanOf(const void* bytes, std::size_t size) {
  return {static_cast<const std::byte*>(bytes), size};
}
inline std::span<std::byte> SpanOf(void* bytes, std::size_t size) {
  return {static_cast<std::byte*>(bytes), size};
}
/// An enumeration's number, if it is one of `count`.
template <class Enum>
absl::Status TakeEnum(std::int64_t number, int count, std::string_view name, Enum* to) {
  if (number < 0 || number >= count) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: {} is none of 0 to {}", name, number,
                 count - 1);
  }
  *to = static_cast<Enum>(number);
  return absl::OkStatus();
}

}  // namespace mimi::c

#define MIMI_C_RETURN_IF_ERROR(expression)                            \
  if (absl::Status mimi_c_status = (expression); !mimi_c_status.ok()) \
  return mimi_c_status

#endif  // MIMI_BINDINGS_C_WALL_H_
