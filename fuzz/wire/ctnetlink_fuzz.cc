// Netlink datagrams from hostile bytes, and the other direction: an entry that was accepted is
// written and must be read as the same entry; requests made from it must be readable too.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/fuzz.h"
#include "src/wire/ctnetlink.h"

namespace {

mimi::CtMessage ReadOne(const mimi::NetlinkWriter& writer) {
  mimi::NetlinkReader reader(writer.bytes());
  mimi::NetlinkMessage message;
  mimi::CtMessage read;
  if (!reader.Next(&message) || mimi::ParseCtMessage(message, &read) != mimi::CtRefusal::kNone) {
    std::abort();
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mimi::NetlinkReader reader(std::as_bytes(std::span(data, size)));
  mimi::NetlinkWriter writer(1024);
  for (mimi::NetlinkMessage message; reader.Next(&message);) {
    mimi::NetlinkError error;
    (void)mimi::ParseNetlinkError(message, &error);
    mimi::CtMessage event;
    if (mimi::ParseCtMessage(message, &event) != mimi::CtRefusal::kNone) {
      continue;
    }
    writer.Clear();
    mimi::CtEntry entry = mimi::CtFromFlow(mimi::FlowFromCt(event.entry));
    entry.present |= mimi::kCtTimeout;
    mimi::AppendCtCreate(writer, entry, 1);
    if (ReadOne(writer).entry.orig.dst != event.entry.orig.dst) {
      std::abort();
    }
  }
  return 0;
}
