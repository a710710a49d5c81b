// Routes, next hops and addresses from hostile bytes, and the other direction: a route or address
// that was accepted is written as a request, and the request must be read as the same.
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/fuzz.h"
#include "src/wire/rtnetlink.h"

namespace {

using namespace mimi::internal;

template <class Value>
void MustRead(const mimi::NetlinkWriter& writer, bool (*parse)(const mimi::NetlinkMessage&, Value*),
              const Value& written) {
  mimi::NetlinkReader reader(writer.bytes());
  mimi::NetlinkMessage message;
  if (Value read; !reader.Next(&message) || !parse(message, &read) || read != written) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mimi::NetlinkReader reader(std::as_bytes(std::span(data, size)));
  mimi::NetlinkWriter writer(256);
  for (mimi::NetlinkMessage message; reader.Next(&message); writer.Clear()) {
    if (RtRoute route; ParseRoute(message, &route) && route.plain) {
      AppendRoute(writer, route, 1);
      MustRead(writer, ParseRoute, route);
    } else if (RtAddress address; ParseAddress(message, &address)) {
      AppendNewAddress(writer, address, 1);
      MustRead(writer, ParseAddress, address);
    } else if (RtNextHop hop; ParseNextHop(message, &hop) && hop.gateway != mimi::Ip()) {
      AppendNextHop(writer, hop, 1);
      MustRead(writer, ParseNextHop, hop);
    }
  }
  return 0;
}
