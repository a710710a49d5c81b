#ifndef MIMI_SRC_PUBLISH_TICKETS_H_
#define MIMI_SRC_PUBLISH_TICKETS_H_

// Tickets: which of one lane's records are confirmed.
//
// The pump numbers what it takes from all its sources: the *stream*. A lane's records up to a
// ticket are confirmed when the stream is, up to the place that was its end when the last of them
// was taken. Kept as steps, at most kMaxSteps of them: with more, every second one goes, and its
// tickets wait for the step after it: later than need be, never too early.
//
// Threads: one at a time.

#include <cstdint>
#include <deque>

#include "mimi/lane.h"

namespace mimi {

class Tickets {
 public:
  static constexpr std::size_t kMaxSteps = 1024;

  // The lane's records before `ticket` are all in the stream before `stream`. Neither ever shrinks.
  void Note(Ticket ticket, std::uint64_t stream) {
    if (!steps_.empty() && steps_.back().stream == stream) {
      steps_.back().ticket = ticket;
      return;
    }
    if (steps_.size() >= kMaxSteps) {
      Thin();
    }
    steps_.push_back({ticket, stream});
  }

  // What stood at `from` in the stream has moved to before `to`, its present end.
  void Moved(std::uint64_t from, std::uint64_t to) {
    if (steps_.empty() || steps_.back().stream <= from) {
      return;
    }
    const Ticket ticket = steps_.back().ticket;
    while (!steps_.empty() && steps_.back().stream > from) {
      steps_.pop_back();
    }
    steps_.push_back({ticket, to});
  }

  // The newest ticket that is confirmed when the stream is, up to `stream`.
  Ticket Confirmed(std::uint64_t stream) {
    while (!steps_.empty() && steps_.front().stream <= stream) {
      confirmed_ = steps_.front().ticket;
      steps_.pop_front();
    }
    return confirmed_;
  }

 private:
  struct Step {
    Ticket ticket;
    std::uint64_t stream;
  };

  void Thin() {
    std::size_t kept = 0;
    for (std::size_t i = 1; i < steps_.size(); i += 2) {
      steps_[kept++] = steps_[i];
    }
    steps_.resize(kept);
  }

  std::deque<Step> steps_;
  Ticket confirmed_ = 0;
};

}  // namespace mimi

#endif  // MIMI_SRC_PUBLISH_TICKETS_H_
