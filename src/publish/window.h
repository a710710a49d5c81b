#ifndef MIMI_SRC_PUBLISH_WINDOW_H_
#define MIMI_SRC_PUBLISH_WINDOW_H_

// Window: what is sealed and not yet confirmed.
//
// A sealed batch never changes. It is offered to the sink in order until the sink takes it, and
// offered again, byte for byte, from the oldest unconfirmed one on, after the sink was Unavailable,
// with back-off. Terms and sequence numbers are given here, at sealing.
//
// Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "mimi/publisher.h"
#include "mimi/record.h"
#include "mimi/sink.h"
#include "mimi/types.h"

namespace mimi {

class Window {
 public:
  Window(const StateSchema& schema, Origin origin, StateSink& sink, const PublisherOptions& options,
         std::uint64_t seed);

  // Starts a term: sequence 1. REQUIRES: empty().
  void StartTerm(std::uint64_t term);
  std::uint64_t term() const { return term_; }
  std::uint64_t next_sequence() const { return next_sequence_; }
  // The version of the record that is sealed next.
  Version next_version() const { return {term_, next_sequence_}; }

  // A builder to fill, or nullptr: too much is in flight. `reserve` batches are left for others.
  std::unique_ptr<BatchBuilder> TakeBuilder(std::size_t reserve = 0);
  void GiveBack(std::unique_ptr<BatchBuilder> builder);
  // `stream_end`: everything before this place of the stream is in this batch or an earlier one.
  void Seal(std::unique_ptr<BatchBuilder> builder, UnixTime time, std::uint64_t stream_end);

  // Same for a batch that holds nothing of the stream.
  void SealApart(std::unique_ptr<BatchBuilder> builder, UnixTime time) {
    Seal(std::move(builder), time, stream_end());
  }

  // Offers what the sink has not taken. Errors: only those that end a term: Aborted,
  // FailedPrecondition, InvalidArgument, DataLoss.
  absl::Status Send(MonotonicTime now);
  // An empty batch, offered once, when there is nothing else to offer. Errors as above.
  absl::Status Heartbeat(UnixTime time, MonotonicTime now);
  // Looks what is confirmed.
  void Confirm();

  bool empty() const { return sealed_.empty(); }
  std::size_t size() const { return sealed_.size(); }
  bool half_full() const { return sealed_.size() >= (max_ + 1) / 2; }
  // Everything sealed was taken by the sink.
  bool all_sent() const { return sealed_.empty() || sealed_.back().accepted; }
  bool backing_off(MonotonicTime now) const { return now < retry_at_; }
  bool available() const { return retry_delay_ == Duration::zero(); }
  // Batches ever sealed, and ever confirmed: both in one order.
  std::uint64_t sealed() const { return done_ + sealed_.size(); }
  std::uint64_t done() const { return done_; }
  std::uint64_t stream_done() const { return stream_done_; }
  std::uint64_t stream_end() const {
    return sealed_.empty() ? stream_done_ : sealed_.back().stream_end;
  }
  UnixTime oldest_time() const { return sealed_.front().view.time(); }
  Position sent_position() const { return sent_position_; }
  template <class F>
  void ForEachUnconfirmed(F f) const {
    for (const Sealed& sealed : sealed_) {
      f(sealed.view);
    }
  }
  MonotonicTime last_send() const { return last_send_; }

  // The newest unconfirmed batch, taken out because its term is over; nullopt when none is left.
  // The bytes are valid until the next call of anything.
  struct Withdrawn {
    BatchView view;
    std::uint64_t stream_begin;
  };
  std::optional<Withdrawn> WithdrawNewest();

  struct Counters {
    std::uint64_t records = 0, batches = 0, heartbeats = 0, resent = 0, refused = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Sealed {
    std::unique_ptr<BatchBuilder> builder;
    BatchView view;
    std::uint64_t stream_end = 0;
    Position position = 0;
    bool accepted = false;
    bool offered_before = false;
  };

  absl::Status Failed(const absl::Status& status, MonotonicTime now);

  StateSchema schema_;
  Origin origin_;
  StateSink& sink_;
  std::size_t batch_size_;
  std::size_t max_;
  Duration retry_min_, retry_max_;
  std::minstd_rand random_;

  std::uint64_t term_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::deque<Sealed> sealed_;
  std::vector<std::unique_ptr<BatchBuilder>> spare_;
  std::unique_ptr<BatchBuilder> withdrawn_;
  std::uint64_t done_ = 0;
  std::uint64_t stream_done_ = 0;
  Position sent_position_ = 0;
  Duration retry_delay_{};  // zero: available
  MonotonicTime retry_at_{};
  MonotonicTime last_send_{};
  Counters counters_;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_WINDOW_H_
