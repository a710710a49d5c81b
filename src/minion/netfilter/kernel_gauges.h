#ifndef MIMI_SRC_MINION_NETFILTER_KERNEL_GAUGES_H_
#define MIMI_SRC_MINION_NETFILTER_KERNEL_GAUGES_H_

// KernelGauges: how full the connection tracking table of a namespace is, and whether its sysctls
// still are what standby wants. The files stay open: reading one again is one system call, and
// needs no visit to the namespace.
//
// Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "src/base/unique_fd.h"
#include "src/io/network_namespace.h"

namespace mimi::internal {

class KernelGauges {
 public:
  struct Fill {
    std::size_t count = 0;
    std::size_t max = 0;  ///< 0: no limit
  };

  static absl::StatusOr<KernelGauges> Open(const NetworkNamespace& inside);

  Fill Read() const;
  /// Which sysctl is not what standby wants; empty: none.
  std::string Wrong() const;

 private:
  UniqueFd count_;
  UniqueFd max_;
  UniqueFd loose_;
  UniqueFd liberal_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_KERNEL_GAUGES_H_
