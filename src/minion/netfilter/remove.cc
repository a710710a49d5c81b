// What an operator asks for beside a running minion: is all as standby needs it, and undo it.

#include <utility>
#include <vector>

#include "mimi/builtin/netfilter_minion.h"

#include "src/base/status.h"
#include "src/io/conntrack_walk.h"
#include "src/minion/netfilter/kernel_gauges.h"
#include "src/minion/netfilter/kernel_table.h"
#include "src/minion/netfilter/standby.h"
#include "src/wire/row_filter.h"

namespace mimi {
namespace internal {
namespace {

struct Entries {
  std::vector<CtEntry> untouched;  ///< that never saw traffic here
  std::size_t in_use = 0;
};

absl::StatusOr<Entries> Sort(const NetworkNamespace& inside) {
  absl::StatusOr<LocalAddresses> local = inside.Addresses();
  const absl::StatusOr<std::uint32_t> longest = LongestConntrackTimeout(inside);
  absl::StatusOr<std::unique_ptr<ConntrackWalk>> walk = ConntrackWalk::Open(inside);
  for (const absl::Status& status : {local.status(), longest.status(), walk.status()}) {
    if (!status.ok()) {
      return status;
    }
  }
  RowFilter filter;
  filter.set_local(*std::move(local));
  Entries entries;
  for (;;) {
    const absl::StatusOr<const CtEntry*> entry = (*walk)->Next();
    if (!entry.ok()) {
      return entry.status();
    }
    if (*entry == nullptr) {
      return entries;
    }
    if (!filter.IsRow(**entry)) {
      continue;
    }
    if ((*entry)->timeout > *longest) {
      entries.untouched.push_back(**entry);
    } else {
      ++entries.in_use;
    }
  }
}

absl::Status DeleteAll(const NetworkNamespace& inside, const std::vector<CtEntry>& entries) {
  constexpr std::size_t kAtOnce = 256;
  absl::StatusOr<std::unique_ptr<KernelTable>> table = KernelTable::Open(inside);
  if (!table.ok()) {
    return table.status();
  }
  for (std::size_t begin = 0; begin < entries.size(); begin += kAtOnce) {
    (*table)->Begin();
    for (std::size_t i = begin; i < entries.size() && i < begin + kAtOnce; ++i) {
      (*table)->Delete(entries[i].orig, entries[i].zone, entries[i].id);
    }
    if (absl::Status status = (*table)->Exchange(); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace internal

absl::StatusOr<std::vector<NetfilterCheck>> CheckNetfilterMinion(
    const NetfilterMinionOptions& options) {
  if (absl::Status status = internal::CheckStandbyOptions(options); !status.ok()) {
    return status;
  }
  const absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(options.network_namespace);
  if (!inside.ok()) {
    return inside.status();
  }
  return internal::CheckStandby(options, *inside);
}

absl::Status RemoveNetfilterMinion(const NetfilterMinionOptions& options, bool force) {
  if (absl::Status status = internal::CheckStandbyOptions(options); !status.ok()) {
    return status;
  }
  const absl::StatusOr<NetworkNamespace> inside = NetworkNamespace::Open(options.network_namespace);
  if (!inside.ok()) {
    return inside.status();
  }
  const absl::StatusOr<internal::Entries> entries = internal::Sort(*inside);
  if (!entries.ok()) {
    return entries.status();
  }
  if (entries->in_use > 0 && !force) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{} flows have traffic here: move them away first, or force it", entries->in_use);
  }
  if (absl::Status status = internal::UndoStandby(options, *inside); !status.ok()) {
    return status;
  }
  return internal::DeleteAll(*inside, entries->untouched);
}

}  // namespace mimi
