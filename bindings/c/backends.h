#ifndef MIMI_BINDINGS_C_BACKENDS_H_
#define MIMI_BINDINGS_C_BACKENDS_H_

// The handles of what an engine is given beside its store: built-in, or a caller's ops struct
// turned into a real subclass.

#include "mimi/driver.h"
#include "mimi/failover.h"
#include "mimi/liveness.h"
#include "mimi/minion.h"
#include "mimi/steering.h"

#include "bindings/c/handles.h"

namespace mimi::c {

/// An ops struct, whose destroy runs when this goes: after the last callback, exactly once.
template <class Type>
class Ops {
 public:
  explicit Ops(const Type& type) : ops_(type) {}
  ~Ops() {
    if (ops_.destroy != nullptr) {
      ops_.destroy(ops_.self);
    }
  }
  Ops(const Ops&) = delete;
  Ops& operator=(const Ops&) = delete;
  const Type* operator->() const { return &ops_; }

 private:
  Type ops_;
};

}  // namespace mimi::c

struct mimi_driver : mimi::c::Object {
  explicit mimi_driver(mimi_loop* its_loop) : Object("driver", its_loop) { Use(its_loop); }
  std::unique_ptr<mimi::Driver> driver;
};

struct mimi_minion : mimi::c::Object {
  explicit mimi_minion(mimi_loop* its_loop) : Object("minion", its_loop) { Use(its_loop); }
  ~mimi_minion() { on->answers.Drop(*this); }
  std::unique_ptr<mimi::Minion> minion;
};

struct mimi_policy : mimi::c::Object {
  mimi_policy() : Object("policy", nullptr) {}
  std::unique_ptr<mimi::FailoverPolicy> policy;
};

struct mimi_steering : mimi::c::Object {
  explicit mimi_steering(mimi_loop* its_loop) : Object("steering", its_loop) { Use(its_loop); }
  ~mimi_steering() { on->answers.Drop(*this); }
  std::unique_ptr<mimi::Steering> steering;
};

struct mimi_liveness : mimi::c::Object {
  explicit mimi_liveness(mimi_loop* its_loop) : Object("liveness", its_loop) { Use(its_loop); }
  std::unique_ptr<mimi::Liveness> liveness;
};

#endif  // MIMI_BINDINGS_C_BACKENDS_H_
