#ifndef MIMI_SRC_RULES_TRANSLATION_H_
#define MIMI_SRC_RULES_TRANSLATION_H_

// Translation: rows of one schema as rows of another, by a mapping that was checked when it was
// loaded.
//
// Threads: constant once compiled; any.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/schema.h"

#include "src/rules/value.h"

namespace mimi::rules {

/// What a field of the target is: a constant, or "{name}" of a field of the source.
using FieldMapping = std::vector<std::pair<std::string, std::string>>;

class Translation {
 public:
  /// The target's key must follow from the source's key, each source's field must fit.
  /// Errors: InvalidArgument; each mistake "field: what" on a line of its own.
  static absl::StatusOr<Translation> Compile(const StateSchema& from, const StateSchema& to,
                                             const FieldMapping& mapping);

  /// `from` is a whole row, or only a key: then of `to` only the key is written. Refusal::kNone:
  /// done.
  Refusal Forward(std::span<const std::byte> from, bool key_only, std::span<std::byte> to) const;

  /// Whether each field of the source that counts in audits can be had back.
  bool reversible() const { return reversible_; }
  /// The row of the source that `to` comes from. False: it cannot come from one (another constant).
  bool Back(std::span<const std::byte> to, std::span<std::byte> from) const;

  const StateSchema& from() const { return from_; }

 private:
  Translation(const StateSchema& from, const StateSchema& to) : from_(from), to_(to) {}
  struct Move {
    const Field* from = nullptr;  ///< nullptr: the constant
    const Field* to = nullptr;
    Value constant;
    std::string text;  ///< what constant.text looks at
  };

  StateSchema from_;
  StateSchema to_;
  std::vector<Move> moves_;
  bool reversible_ = true;
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_TRANSLATION_H_
