// Events and walks in any order, from hostile bytes: the tracker's own count of rows must be that
// of its puts and erases. A byte chooses what a message is; netlink messages follow.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <string>

#include "fuzz/fuzz.h"
#include "src/driver/conntrack/tracker.h"

namespace {

struct Output final : mimi::internal::TrackerOutput {
  void Put(std::span<const std::byte> row) override { keys.insert(Text(row.first(39))); }
  void Erase(std::span<const std::byte> key, mimi::Op) override { keys.erase(Text(key)); }
  static std::string Text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::set<std::string> keys;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using mimi::internal::WalkKind;
  Output output;
  mimi::internal::Tracker tracker({.closing_mark = 0x10000000, .echo_ports = {7}}, output);
  mimi::NetlinkReader reader(std::as_bytes(std::span(data, size)));
  bool walking = false;
  for (mimi::NetlinkMessage message; reader.Next(&message);) {
    mimi::CtMessage event;
    if (mimi::ParseCtMessage(message, &event) != mimi::CtRefusal::kNone) {
      continue;
    }
    if (message.sequence % 8 == 1 && !walking) {  // checks: a resync's end is the engine's to do
      tracker.BeginWalk(WalkKind::kCheck);
      walking = true;
    } else if (message.sequence % 8 == 2 && walking) {
      tracker.EndWalk();
      while (!tracker.Settle(2)) {}
      walking = false;
    }
    message.sequence % 8 == 3 && walking ? tracker.OnWalked(event.entry) : tracker.OnEvent(event);
    // What a minion deletes is not published.
    if (tracker.rows() > output.keys.size()) {
      std::abort();
    }
  }
  return 0;
}
