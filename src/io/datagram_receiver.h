#ifndef MIMI_SRC_IO_DATAGRAM_RECEIVER_H_
#define MIMI_SRC_IO_DATAGRAM_RECEIVER_H_

// DatagramReceiver: a bound UDP socket whose losses are known.
//
// What the kernel drops because nobody read in time it tells with the next datagram (SO_RXQ_OVFL,
// socket(7)).
//
// Threads: the loop thread only. Lifetime: the loop outlives it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi::internal {

struct DatagramReceiverOptions {
  Ip address;  ///< `::` is every address of both families
  std::uint16_t port = 0;
  std::size_t receive_buffer = std::size_t{8} << 20;  ///< SO_RCVBUFFORCE where allowed
  std::size_t max_size = 8192;                        ///< of a datagram; longer ones are cut
};

class DatagramReceiver {
 public:
  /// `cut`: the datagram was longer. Views are valid until return.
  using OnDatagram = std::function<void(const Ip& from, std::string_view bytes, bool cut)>;
  /// After datagrams that came together.
  using OnPause = std::function<void()>;

  virtual ~DatagramReceiver() = default;
  virtual std::uint16_t port() const = 0;
  virtual std::uint64_t dropped() const = 0;       ///< by the kernel
  virtual std::size_t receive_buffer() const = 0;  ///< what was got, in the kernel's count

  /// Errors: FailedPrecondition (no such address, rights), Unavailable (port taken).
  static absl::StatusOr<std::unique_ptr<DatagramReceiver>> Open(
      const DatagramReceiverOptions& options, Loop& loop, OnDatagram on_datagram, OnPause on_pause);
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_DATAGRAM_RECEIVER_H_
