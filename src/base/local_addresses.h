#ifndef MIMI_SRC_BASE_LOCAL_ADDRESSES_H_
#define MIMI_SRC_BASE_LOCAL_ADDRESSES_H_

// LocalAddresses: the addresses of a box itself.
//
// Threads: one at a time.

#include <array>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_set.h"

#include "mimi/types.h"

namespace mimi {

class LocalAddresses {
 public:
  void Add(const Ip& ip) { addresses_.insert(ip.octets); }
  /// All of 127/8 as well.
  bool Contains(const Ip& ip) const {
    const std::optional<Ipv4> v4 = ip.v4();
    return (v4.has_value() && v4->octets[0] == 127) || addresses_.contains(ip.octets);
  }

 private:
  absl::flat_hash_set<std::array<std::uint8_t, 16>> addresses_;
};

}  // namespace mimi

#endif  // MIMI_SRC_BASE_LOCAL_ADDRESSES_H_
