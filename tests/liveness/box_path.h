#ifndef MIMI_TESTS_LIVENESS_BOX_PATH_H_
#define MIMI_TESTS_LIVENESS_BOX_PATH_H_

// BoxPath: manager - box - service, three namespaces in a row. The box forwards, until it is told
// to go on answering for itself and to forward nothing: a black hole with all its links up.

#include "tests/support/net_namespace.h"

namespace mimi::testing {

struct BoxPath {
  BoxPath() {
    for (const NetNamespace* host : {&manager, &box, &service}) {
      host->Sysctl("net/ipv6/conf/default/accept_dad", "0");  // it would take two seconds
    }
    Connect(manager, "to-box", box, "front");
    Connect(box, "back", service, "eth0");
    manager.Run(
        "ip addr add 10.9.1.1/24 dev to-box; ip route add 10.9.2.0/24 via 10.9.1.2;"
        "ip addr add fd09:1::1/64 dev to-box; ip route add fd09:2::/64 via fd09:1::2");
    box.Run(
        "ip addr add 10.9.1.2/24 dev front; ip addr add 10.9.2.2/24 dev back;"
        "ip addr add fd09:1::2/64 dev front; ip addr add fd09:2::2/64 dev back");
    box.Sysctl("net/ipv4/ip_forward", "1");
    box.Sysctl("net/ipv6/conf/all/forwarding", "1");
    service.Run(
        "ip addr add 10.9.2.1/24 dev eth0; ip route add default via 10.9.2.2;"
        "ip addr add fd09:2::1/64 dev eth0; ip route add default via fd09:2::2");
  }
  void BlackHole() const {
    box.Nft("table inet hole { chain f { type filter hook forward priority 0; policy drop; }; }");
  }
  void Forward() const { box.Nft("delete table inet hole"); }

  NetNamespace manager, box, service;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_LIVENESS_BOX_PATH_H_
