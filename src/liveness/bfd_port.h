#ifndef MIMI_SRC_LIVENESS_BFD_PORT_H_
#define MIMI_SRC_LIVENESS_BFD_PORT_H_

/// \file
/// BfdPort: the socket on port 3784 (RFC 5881 section 4), and which session a packet is for.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "mimi/builtin/bfd.h"

#include "src/base/unique_fd.h"
#include "src/wire/bfd.h"

namespace mimi {

class BfdPort {
 public:
  /// What came for one session.
  class Session {
   public:
    virtual ~Session() = default;
    virtual void OnPacket(const internal::BfdPacket& packet) = 0;
    /// One from its peer was dropped. `ttl`: it came from further away than the next hop.
    virtual void OnRefused(internal::BfdRefusal refusal, bool ttl) = 0;
  };

  static absl::StatusOr<std::shared_ptr<BfdPort>> Open(const BfdPortOptions& options, Loop& loop);
  BfdPort(const BfdPortOptions& options, Loop& loop, UniqueFd fd);
  ~BfdPort();
  BfdPort(const BfdPort&) = delete;
  BfdPort& operator=(const BfdPort&) = delete;

  /// The discriminator that the session is to use; it stays known until Remove(). One session for
  /// each peer. Errors: InvalidArgument.
  absl::StatusOr<std::uint32_t> Add(const Ip& peer, Session& session);
  void Remove(std::uint32_t discriminator);
  /// Delivers what waits in the socket.
  void Drain();

  const BfdPortOptions& options() const { return options_; }

 private:
  struct Entry {
    Ip peer;
    Session* session = nullptr;
  };
  Entry* Find(const internal::BfdPacket& packet, const Ip& from);
  Session* SessionOf(const Ip& peer);

  const BfdPortOptions options_;
  Loop& loop_;
  UniqueFd fd_;
  std::map<std::uint32_t, Entry> sessions_;  // by discriminator
};

}  // namespace mimi

#endif  // MIMI_SRC_LIVENESS_BFD_PORT_H_
