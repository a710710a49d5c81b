#include "src/liveness/bfd_port.h"

#include <array>
#include <cerrno>
#include <random>
#include <utility>

#include "src/base/status.h"
#include "src/io/socket.h"

namespace mimi {

using internal::BfdPacket;
using internal::BfdRefusal;

namespace {

constexpr int kNextHopTtl = 255;   // RFC 5881 section 5
constexpr int kMostAtOnce = 256;   // a flood must not keep the loop
constexpr std::size_t kMtu = 512;  // more than any control packet has

}  // namespace

absl::StatusOr<std::shared_ptr<BfdPort>> BfdPort::Open(const BfdPortOptions& options, Loop& loop) {
  if (options.port == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bfd: port is 0");
  }
  const int family = internal::FamilyOf(options.local);
  absl::StatusOr<UniqueFd> fd = internal::OpenSocket(
      family, SOCK_DGRAM, 0,
      {.local = options.local, .port = options.port, .interface = options.interface, .mark = 0});
  if (!fd.ok()) {
    return Prepend("bfd", fd.status());
  }
  if (absl::Status ttl = internal::AskForTtl(fd->get(), family); !ttl.ok()) {
    return Prepend("bfd", ttl);
  }
  auto port = std::make_shared<BfdPort>(options, loop, *std::move(fd));
  absl::Status watched =
      loop.WatchFd(port->fd_.get(), kReadable, [raw = port.get()](std::uint32_t) { raw->Drain(); });
  if (!watched.ok()) {
    return Prepend("bfd", watched);
  }
  return port;
}

BfdPort::BfdPort(const BfdPortOptions& options, Loop& loop, UniqueFd fd)
    : options_(options), loop_(loop), fd_(std::move(fd)) {
}

BfdPort::~BfdPort() {
  loop_.UnwatchFd(fd_.get());
}

absl::StatusOr<std::uint32_t> BfdPort::Add(const Ip& peer, Session& session) {
  if (SessionOf(peer) != nullptr) {
    return Error(absl::StatusCode::kInvalidArgument, "bfd: two sessions with {}", peer.ToString());
  }
  std::random_device random;
  std::uint32_t discriminator = 0;
  while (discriminator == 0 || sessions_.count(discriminator) != 0) {
    discriminator = random();
  }
  sessions_[discriminator] = {peer, &session};
  return discriminator;
}

void BfdPort::Remove(std::uint32_t discriminator) {
  sessions_.erase(discriminator);
}

BfdPort::Session* BfdPort::SessionOf(const Ip& peer) {
  for (const auto& [discriminator, entry] : sessions_) {
    if (entry.peer == peer) {
      return entry.session;
    }
  }
  return nullptr;
}

// RFC 5880 section 6.8.6: by our discriminator; where the peer does not know it yet, by its address
// (RFC 5881 section 3). The address has to be the peer's in any case.
BfdPort::Entry* BfdPort::Find(const BfdPacket& packet, const Ip& from) {
  if (packet.your_discriminator != 0) {
    const auto found = sessions_.find(packet.your_discriminator);
    return found != sessions_.end() && found->second.peer == from ? &found->second : nullptr;
  }
  for (auto& [discriminator, entry] : sessions_) {
    if (entry.peer == from) {
      return &entry;
    }
  }
  return nullptr;
}

void BfdPort::Drain() {
  std::array<std::byte, kMtu> buffer;
  for (int i = 0; i < kMostAtOnce; ++i) {
    const std::optional<internal::Datagram> datagram = internal::Receive(fd_.get(), buffer);
    if (!datagram.has_value()) {
      return;
    }
    const Ip from = datagram->from.ip();
    BfdPacket packet;
    const BfdRefusal refusal = internal::ParseBfd(datagram->bytes, &packet);
    const bool far = datagram->ttl != kNextHopTtl;
    if (refusal != BfdRefusal::kNone || far) {
      if (Session* session = SessionOf(from); session != nullptr) {
        session->OnRefused(refusal, far);
      }
      continue;
    }
    if (Entry* entry = Find(packet, from); entry != nullptr) {
      entry->session->OnPacket(packet);
    } else if (Session* session = SessionOf(from); session != nullptr) {
      session->OnRefused(BfdRefusal::kYourDiscriminator, false);
    }
  }
}

absl::StatusOr<std::shared_ptr<BfdPort>> NewBfdPort(const BfdPortOptions& options, Loop& loop) {
  return BfdPort::Open(options, loop);
}

}  // namespace mimi
