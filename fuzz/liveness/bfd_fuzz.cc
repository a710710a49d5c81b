// Control packets from a hostile BFD peer, into a session: an accepted packet is the same when it
// is written and read again; whatever comes, each answer is a legal packet, and no deadline has
// passed.
//
// Input: units of a byte (milliseconds until it comes), a byte (its size), and a packet.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/fuzz.h"
#include "src/base/bytes.h"
#include "src/liveness/bfd_session.h"

namespace {

using namespace mimi::internal;

void Check(const BfdSession& session, const BfdActions& actions) {
  for (const BfdPacket& packet : actions.send) {
    BfdPacket read;
    if (ParseBfd(EncodeBfd(packet), &read) != BfdRefusal::kNone || read != packet) {
      std::abort();
    }
  }
  if (actions.change.has_value() && actions.change->state != session.state()) {
    std::abort();
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mimi::Puller in(std::as_bytes(std::span(data, size)));
  mimi::MonotonicTime now{};
  BfdSession session({}, now);
  std::uint8_t wait = 0, length = 0;
  while (in.Be(&wait) && in.Be(&length)) {
    now += std::chrono::milliseconds(wait);
    Check(session, session.Tick(now));
    if (session.NextDeadline() <= now) {
      std::abort();
    }
    std::span<const std::byte> bytes;
    (void)in.Take(std::min<std::size_t>(length, in.remaining()), &bytes);
    BfdPacket packet, again;
    if (ParseBfd(bytes, &packet) == BfdRefusal::kNone) {
      if (ParseBfd(EncodeBfd(packet), &again) != BfdRefusal::kNone || again != packet) {
        std::abort();
      }
      Check(session, session.OnPacket(packet, now));
    }
  }
  return 0;
}
