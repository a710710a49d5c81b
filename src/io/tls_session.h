#ifndef MIMI_SRC_IO_TLS_SESSION_H_
#define MIMI_SRC_IO_TLS_SESSION_H_

// TlsSession: a TLS client (1.2 or 1.3) between two byte strings; whoever holds the descriptor
// moves the bytes.
//
//   tls->Receive(bytes_from_the_socket, &plain);     // what they mean; fails when the peer is not
//   who it must be
//   tls->Send(plain);                                // kept until the handshake is through
//   tls->Take(&bytes_for_the_socket);
//
// The peer's certificate is always verified, against `ca_file` or the system's roots, and must have
// the name.
//
// Threads: one at a time. Lifetime: a value behind a pointer.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mimi::internal {

struct TlsOptions {
  std::string name;  ///< DNS name or address that the certificate must have
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

class TlsSession {
 public:
  virtual ~TlsSession() = default;

  /// Errors: InvalidArgument (a file that cannot be used), named.
  static absl::StatusOr<std::unique_ptr<TlsSession>> New(const TlsOptions& options);

  /// Appends what was received to `*plain`. Errors: Unavailable that says what was wrong with the
  /// peer.
  virtual absl::Status Receive(std::string_view bytes, std::string* plain) = 0;
  virtual absl::Status Send(std::string_view plain) = 0;
  /// Appends what has to be sent.
  virtual void Take(std::string* bytes) = 0;
  virtual bool established() const = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_TLS_SESSION_H_
