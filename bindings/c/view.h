#ifndef MIMI_BINDINGS_C_VIEW_H_
#define MIMI_BINDINGS_C_VIEW_H_

// A picture of a pair: of an engine's status (owned), or of what a policy is shown (borrowed).

#include <memory>

#include "mimi/engine.h"

#include "bindings/c/handles.h"

struct mimi_view {
  explicit mimi_view(const mimi::PairView& shown) : pair(&shown) {}
  explicit mimi_view(mimi::PairStatus of)
      : status(std::make_unique<mimi::PairStatus>(std::move(of))), pair(&status->view) {
    status->view.moves = status->moves;  // a view of the copy, not of the engine's
  }

  std::unique_ptr<mimi::PairStatus> status;  ///< nullptr when borrowed
  const mimi::PairView* pair;
};

namespace mimi::c {
/// All of it as one JSON object.
std::string ViewJson(const mimi_view& view);
}  // namespace mimi::c

#endif  // MIMI_BINDINGS_C_VIEW_H_
