#include <string>

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/publish/pump_impl.h"

namespace mimi {

bool Pump::Impl::Holds(std::span<const std::byte> key) {
  if (pending_.Holds(key) || hold_.Holds(key)) {
    return true;
  }
  const std::size_t built = builder_ == nullptr ? 0 : builder_->size();
  if (in_flight_.sealed != window_.sealed() || in_flight_.done != window_.done() ||
      in_flight_.built != built) {
    in_flight_.sealed = window_.sealed();
    in_flight_.done = window_.done();
    in_flight_.built = built;
    in_flight_.keys.clear();
    const auto add = [this](const BatchView& batch) {
      for (const RecordView record : batch) {
        in_flight_.keys.emplace(AsText(record.key));
      }
    };
    window_.ForEachUnconfirmed(add);
    if (built != 0) {
      add(builder_->Draft());
    }
  }
  return in_flight_.keys.contains(ToAbsl(AsText(key)));
}

}  // namespace mimi
