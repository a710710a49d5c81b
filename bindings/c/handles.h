#ifndef MIMI_BINDINGS_C_HANDLES_H_
#define MIMI_BINDINGS_C_HANDLES_H_

// What the opaque handles of mimi.h hold, and the rules about closing them.
//
// Threads: as mimi.h says of each handle.
// Lifetime: a handle is used by others (an engine uses its store); while it is, it cannot be
// closed.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "absl/status/status.h"

#include "mimi/engine.h"

#include "bindings/c/wall.h"

namespace mimi::c {

/// What all handles have that others may use, or that call back.
struct Object {
  explicit Object(const char* what, mimi_loop* its_loop) : kind(what), on(its_loop) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object();

  const char* kind;     ///< "store", for messages
  mimi_loop* on;        ///< nullptr: bound to no loop
  bool shared = false;  ///< several engines may wait for its answers
  int entered = 0;      ///< callbacks of this object on the stack
  std::vector<Object*> users;
  std::vector<Object*> uses;

  void Use(Object* used);
  /// OK when nothing uses this object and none of its callbacks is on the stack; `deep`: nor one of
  /// what it uses.
  absl::Status CanClose(bool deep = false) const;
};

/// Stands on the stack while a callback of `object` runs.
class Scope {
 public:
  explicit Scope(Object& object);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Object& object_;
};

template <class Handle>
mimi_status Close(Handle* handle, mimi_error* error) noexcept {
  return Call(error, {}, [&] {
    if (handle != nullptr) {
      MIMI_C_RETURN_IF_ERROR(handle->CanClose());
      delete handle;
    }
    return absl::OkStatus();
  });
}

/// An answer that a back end in C owes.
using Waiting =
    std::variant<StateStore::StatusCallback, StateStore::ClaimCallback, StateStore::LookupCallback,
                 Lease::GrantCallback, Steering::ObserveCallback>;

/// The answers owed by all back ends of one loop. Numbers, not pointers: an answer that comes
/// twice, or too late, finds nothing.
class Answers {
 public:
  explicit Answers(mimi_loop& loop) : loop_(loop) {}

  mimi_answer Expect(Object& owner, Waiting waiting, Steering::Guard guard = nullptr);
  /// Has the callback run from the loop, with `result`. Errors: NotFound, InvalidArgument (another
  /// kind of answer is owed).
  template <class Callback, class Result>
  absl::Status Give(mimi_answer answer, Result result) {
    absl::StatusOr<Callback> callback = Take<Callback>(answer);
    MIMI_C_RETURN_IF_ERROR(callback.status());
    RunLater(answer,
             [callback = *std::move(callback), result = std::move(result)] { callback(result); });
    return absl::OkStatus();
  }
  absl::Status GiveRow(mimi_answer answer, const mimi_record& record);
  /// Any kind. OK only where a status is all that is owed.
  absl::Status GiveStatus(mimi_answer answer, const absl::Status& status);
  /// Whether the effect may take place. Errors: NotFound, InvalidArgument (nobody to ask).
  absl::StatusOr<bool> MayAct(mimi_answer answer) const;
  /// What `owner` owes is not wanted any more.
  void Drop(const Object& owner);

 private:
  struct Entry {
    Object* owner;
    Waiting waiting;
    Steering::Guard guard;
    std::function<void()> run;  ///< set when it was answered
  };
  absl::StatusOr<Entry*> Find(mimi_answer answer);
  template <class Callback>
  absl::StatusOr<Callback> Take(mimi_answer answer) {
    absl::StatusOr<Entry*> entry = Find(answer);
    MIMI_C_RETURN_IF_ERROR(entry.status());
    auto* callback = std::get_if<Callback>(&(*entry)->waiting);
    if (callback == nullptr) {
      return Error(absl::StatusCode::kInvalidArgument, "answer {} is owed with another result",
                   answer);
    }
    return std::move(*callback);
  }
  void RunLater(mimi_answer answer, std::function<void()> run);

  mimi_loop& loop_;
  std::unordered_map<mimi_answer, Entry> owed_;
  mimi_answer next_ = 1;
};

}  // namespace mimi::c

struct mimi_schema {
  mimi::StateSchema schema;
};

struct mimi_batch {
  mimi::BatchView view;
  std::vector<std::byte> bytes;  ///< of a parsed one; empty when the view is of somebody else's
};

struct mimi_loop : mimi::c::Object {
  explicit mimi_loop(std::unique_ptr<mimi::Loop> its)
      : Object("loop", this), loop(std::move(its)), answers(*this) {}

  std::unique_ptr<mimi::Loop> loop;
  mimi::c::Answers answers;
  bool running = false;
  int callbacks = 0;  ///< on the stack, of whatever is on this loop
};

namespace mimi::c {

/// Stands on the stack while a loop runs. Refused (status()) from a callback.
class Running {
 public:
  explicit Running(mimi_loop& loop);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  const absl::Status& status() const { return status_; }

 private:
  mimi_loop& loop_;
  absl::Status status_;
};

}  // namespace mimi::c

struct mimi_store : mimi::c::Object {
  explicit mimi_store(mimi_loop* its_loop) : Object("store", its_loop) {
    shared = true;
    Use(its_loop);
  }
  ~mimi_store();
  std::unique_ptr<mimi::StateStore> store;
  bool custom = false;  ///< one of the caller's (custom_store.cc)
};

namespace mimi::c {

/// The caller's callback as ours: a callback of `object`.
inline std::function<void(absl::Status)> Done(Object& object, mimi_done_fn done, void* context) {
  return [&object, done, context](const absl::Status& status) {
    Scope scope(object);
    done(context, CodeOf(status), std::string(Message(status)).c_str());
  };
}

mimi_record RecordOf(const RecordView& record);
mimi_store_state StateOf(const StoreState& state);
inline std::int64_t NsOf(MonotonicTime at) {
  return at.time_since_epoch().count();
}
inline MonotonicTime TimeOf(std::int64_t ns) {
  return MonotonicTime(Duration(ns));
}

}  // namespace mimi::c

#endif  // MIMI_BINDINGS_C_HANDLES_H_
