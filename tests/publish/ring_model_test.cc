// An exhaustive model of the lane's ring: every interleaving of a producer and a consumer on a ring
// of two slots, with a weak memory, and mutations of the order that the model must find.
//
// The memory is that of release/acquire without the stronger guarantees of any processor: each
// atomic keeps every value that was ever stored, with what its writer had seen at that time; a load
// may return any of them that is not older than what its thread has seen; only an acquire load of a
// released value makes the reader see what the writer had. Slots are ordinary memory: a read or
// write of a slot that does not come after the other side's last access to it, by what its thread
// has seen, is a data race.
//
// Threads are functions that are run from their beginning again and again, with the answers that
// they got so far, until they ask for one more step: so a state is two lists of answers and a
// memory, and states that are met twice are explored once.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/internal/ring.h"

namespace mimi::testing {
namespace {

constexpr int kSlots = 2;
constexpr int kItems = 4;  // two times around
constexpr int kPolls = 4;  // of the consumer
enum Location : std::uint8_t { kHead, kTail, kLocations };
enum Thread : std::uint8_t { kProducer, kConsumer, kThreads };

// How much a thread has seen: of each atomic the newest value's index, of each thread the steps.
struct View {
  std::array<std::uint8_t, kLocations> newest{};
  std::array<std::uint8_t, kThreads> steps{};
  void Join(const View& other) {
    for (std::size_t i = 0; i < kLocations; ++i) {
      newest[i] = std::max(newest[i], other.newest[i]);
    }
    for (std::size_t i = 0; i < kThreads; ++i) {
      steps[i] = std::max(steps[i], other.steps[i]);
    }
  }
};

struct Message {
  std::uint64_t value = 0;
  View view;  // empty for a relaxed store
};

struct Slot {
  std::uint64_t value = 0;
  std::array<std::uint8_t, kThreads> read{}, written{};  // the step of each thread's last access
};

struct Memory {
  std::array<std::vector<Message>, kLocations> atomics;
  std::array<Slot, kSlots> slots;
  std::array<View, kThreads> views;
  std::array<std::vector<std::uint64_t>, kThreads> answers;

  std::string Fingerprint() const {
    std::string text;
    const auto add = [&text](std::uint64_t number) {
      text += static_cast<char>(number);
    };
    const auto add_view = [&add](const View& view) {
      std::for_each(view.newest.begin(), view.newest.end(), add);
      std::for_each(view.steps.begin(), view.steps.end(), add);
    };
    for (const auto& messages : atomics) {
      add(messages.size());
      for (const Message& message : messages) {
        add(message.value);
        add_view(message.view);
      }
    }
    for (const Slot& slot : slots) {
      add(slot.value);
      std::for_each(slot.read.begin(), slot.read.end(), add);
      std::for_each(slot.written.begin(), slot.written.end(), add);
    }
    for (std::size_t i = 0; i < kThreads; ++i) {
      add_view(views[i]);
      add(answers[i].size());
      std::for_each(answers[i].begin(), answers[i].end(), add);
    }
    return text;
  }
};

// What a thread asks for next.
struct Request {
  enum Kind { kLoad, kStore, kReadSlot, kWriteSlot, kNothing } kind = kNothing;
  int where = 0;
  std::uint64_t value = 0;
  bool ordered = false;  // acquire or release
};

// The run of one thread up to its next request.
struct Run {
  const std::vector<std::uint64_t>* answers;
  std::size_t next = 0;
  Request request;
  struct Stopped {};

  std::uint64_t Ask(const Request& asked) {
    if (next < answers->size()) {
      return (*answers)[next++];
    }
    request = asked;
    throw Stopped{};
  }
};
Run* running = nullptr;

// Which orders the model weakens, to see that it notices.
bool relaxed_stores = false;
bool relaxed_loads = false;

struct ModelAtomics {
  template <class T>
  class Atomic {
   public:
    explicit Atomic(T) : where_(count++ % kLocations) {}
    T load(std::memory_order order) const {
      const bool acquire = order != std::memory_order_relaxed && !relaxed_loads;
      return running->Ask({Request::kLoad, where_, 0, acquire});
    }
    void store(T value, std::memory_order order) {
      const bool release = order != std::memory_order_relaxed && !relaxed_stores;
      running->Ask({Request::kStore, where_, value, release});
    }

   private:
    static inline int count = 0;  // head and tail, in the order of RingIndex
    int where_;
  };
};
using Ring = internal::RingIndex<ModelAtomics>;

// How the threads use the ring; the variations are mistakes.
enum class Mistake { kNone, kPublishFirst, kReleaseFirst, kNoRoomCheck };

void Produce(Ring& ring, Mistake mistake) {
  for (std::uint64_t item = 1; item <= kItems; ++item) {
    if (mistake != Mistake::kNoRoomCheck && !ring.Room()) {
      continue;  // lost, as a packet thread would
    }
    const int slot = static_cast<int>(ring.next() % kSlots);
    if (mistake == Mistake::kPublishFirst) {
      ring.Publish();
    }
    running->Ask({Request::kWriteSlot, slot, item, false});
    if (mistake != Mistake::kPublishFirst) {
      ring.Publish();
    }
  }
}

// Returns what it consumed.
std::vector<std::uint64_t> Consume(Ring& ring, Mistake mistake) {
  std::vector<std::uint64_t> items;
  for (int poll = 0; poll < kPolls; ++poll) {
    const std::uint64_t begin = ring.tail();
    const std::uint64_t end = ring.Head();
    if (mistake == Mistake::kReleaseFirst && begin != end) {
      ring.Release(end);
    }
    for (std::uint64_t i = begin; i != end; ++i) {
      items.push_back(running->Ask({Request::kReadSlot, static_cast<int>(i % kSlots), 0, false}));
    }
    if (mistake != Mistake::kReleaseFirst && begin != end) {
      ring.Release(end);
    }
  }
  return items;
}

class Explorer {
 public:
  explicit Explorer(Mistake mistake) : mistake_(mistake) {
    Memory memory;
    for (auto& messages : memory.atomics) {
      messages.push_back({});
    }
    Explore(memory);
  }
  std::size_t states() const { return seen_.size(); }
  std::size_t ends() const { return ends_; }
  const std::set<std::string>& faults() const { return faults_; }

 private:
  Request Next(const Memory& memory, Thread thread, std::vector<std::uint64_t>* items) {
    Run run{&memory.answers[thread], 0, {}};
    running = &run;
    Ring ring(kSlots);
    try {
      if (thread == kProducer) {
        Produce(ring, mistake_);
      } else {
        *items = Consume(ring, mistake_);
      }
    } catch (const Run::Stopped&) {}
    return run.request;
  }

  void Explore(const Memory& memory) {
    if (!seen_.insert(memory.Fingerprint()).second || !faults_.empty()) {
      return;
    }
    std::vector<std::uint64_t> items;
    bool any = false;
    for (const Thread thread : {kProducer, kConsumer}) {
      const Request request = Next(memory, thread, &items);
      if (request.kind != Request::kNothing) {
        any = true;
        Step(memory, thread, request);
      }
    }
    if (!any) {
      ++ends_;
      // Whatever was lost: in order, each once, and whole.
      if (!std::is_sorted(items.begin(), items.end(), std::less_equal<>()) ||
          std::ranges::count(items, 0U) != 0) {
        faults_.insert("order");
      }
    }
  }

  void Step(const Memory& before, Thread thread, const Request& request) {
    if (request.kind == Request::kLoad) {
      const auto where = static_cast<std::size_t>(request.where);
      for (std::size_t i = before.views[thread].newest[where]; i < before.atomics[where].size();
           ++i) {
        Memory after = before;
        const Message& message = before.atomics[where][i];
        after.views[thread].newest[where] = static_cast<std::uint8_t>(i);
        if (request.ordered) {
          after.views[thread].Join(message.view);
        }
        after.answers[thread].push_back(message.value);
        Explore(after);
      }
      return;
    }
    Memory after = before;
    View& view = after.views[thread];
    ++view.steps[thread];
    const auto where = static_cast<std::size_t>(request.where);
    std::uint64_t answer = 0;
    if (request.kind == Request::kStore) {
      view.newest[where] = static_cast<std::uint8_t>(after.atomics[where].size());
      after.atomics[where].push_back({request.value, request.ordered ? view : View{}});
    } else {
      answer = Touch(after.slots[where], thread, request, view);
    }
    after.answers[thread].push_back(answer);
    Explore(after);
  }

  std::uint64_t Touch(Slot& slot, Thread thread, const Request& request, const View& view) {
    const Thread other = thread == kProducer ? kConsumer : kProducer;
    const bool writes = request.kind == Request::kWriteSlot;
    if (slot.written[other] > view.steps[other] ||
        (writes && slot.read[other] > view.steps[other])) {
      faults_.insert("race");
    }
    (writes ? slot.written : slot.read)[thread] = view.steps[thread];
    if (writes) {
      slot.value = request.value;
    }
    return slot.value;
  }

  Mistake mistake_;
  std::set<std::string> seen_;
  std::set<std::string> faults_;
  std::size_t ends_ = 0;
};

TEST_CASE("ring model: no interleaving of two slots races, tears, repeats or reorders") {
  const Explorer explorer(Mistake::kNone);
  CHECK(explorer.faults().empty());
  CHECK(explorer.ends() > 10);
  MESSAGE("states: " << explorer.states() << ", ends: " << explorer.ends());
}

TEST_CASE("ring model: it finds a slot that is published before it is written") {
  CHECK(Explorer(Mistake::kPublishFirst).faults().size() == 1);
}

TEST_CASE("ring model: it finds a slot that is released before it is read") {
  CHECK(Explorer(Mistake::kReleaseFirst).faults().size() == 1);
}

TEST_CASE("ring model: it finds a producer that does not look for room") {
  CHECK(Explorer(Mistake::kNoRoomCheck).faults().size() == 1);
}

TEST_CASE("ring model: it finds stores that do not release") {
  relaxed_stores = true;
  CHECK(Explorer(Mistake::kNone).faults().count("race") == 1);
  relaxed_stores = false;
}

TEST_CASE("ring model: it finds loads that do not acquire") {
  relaxed_loads = true;
  CHECK(Explorer(Mistake::kNone).faults().count("race") == 1);
  relaxed_loads = false;
}

}  // namespace
}  // namespace mimi::testing
