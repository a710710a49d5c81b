// Random lives of a pump: lanes, a driver, faults of the sink, losses, terms, resyncs. In the end
// the sink holds what the sources hold. A failing seed prints itself; MIMI_SEED=n runs one.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/publish/world.h"

namespace mimi::testing {
namespace {

using Values = std::map<std::uint32_t, std::uint64_t>;

class Life {
 public:
  explicit Life(std::uint64_t seed)
      : random_(seed),
        world_({.ring_slots = std::size_t{1} << Pick(2, 8),
                .batch_size = static_cast<std::size_t>(Pick(200, 4000)),
                .window = static_cast<std::size_t>(Pick(1, 8)),
                .max_pending = static_cast<std::size_t>(Pick(20, 300)),
                .resync_min = 1ms,
                .resync_max = 4ms,
                .erase_linger = 2ms,
                .burst_min = 1000000}),
        keys_(static_cast<std::uint32_t>(Pick(4, 40))) {
    const int lanes = Pick(1, 3);
    for (int i = 0; i < lanes; ++i) {
      sources_.push_back({LanePtr(*world_.pump->OpenLane()), {}, {}});
    }
    if (Pick(0, 1) == 1) {
      world_.pump->set_direct(true);
      sources_.push_back({nullptr, {}, {}});
    }
  }

  void Run() {
    for (int i = Pick(200, 800); i > 0; --i) {
      Act();
    }
    // Everything is well from here on, and nothing new happens.
    world_.sink.mode = FakeSink::Mode::kAccept;
    world_.sink.confirm_at_once = true;
    world_.sink.ConfirmAll();
    if (world_.pump->stats().term == 0) {
      NewTerm();
    }
    world_.pump->WantResync();  // muted erases are lost on purpose: this is what an owner does then
    for (int i = 0; i < 20000 && !Done(); ++i) {
      world_.Tick();
      for (Source& source : sources_) {
        Walk(source);
      }
    }
    Values truth;
    for (const Source& source : sources_) {
      truth.insert(source.rows.begin(), source.rows.end());
    }
    CHECK(world_.sink.Values() == truth);
    CHECK(world_.sink.gaps == 0);
    CHECK(Done());
  }

 private:
  struct Source {
    LanePtr lane;  // nullptr: the driver
    Values rows;
    std::vector<std::uint32_t> left;  // to walk
    bool walking = false;
    bool ended = false;  // walked all, End not taken yet
  };

  int Pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }

  bool Done() const {
    return world_.pump->drained() && !world_.pump->stats().resync_wanted &&
           world_.pump->stats().holding == 0;
  }

  void NewTerm() {
    REQUIRE(world_.pump->SetTerm(++term_).ok());
    world_.sink.mode = FakeSink::Mode::kAccept;
  }

  void Act() {
    const int action = Pick(0, 99);
    const auto which = static_cast<std::size_t>(Pick(0, static_cast<int>(sources_.size()) - 1));
    Source& source = sources_[which];
    if (action < 60) {
      for (int i = Pick(1, 12); i > 0; --i) {
        Change(source, static_cast<std::uint32_t>(which) * 1000);
      }
    } else if (action < 80) {
      world_.Tick(std::chrono::microseconds(Pick(100, 3000)));
    } else if (action < 90) {
      Walk(source);
    } else if (action < 93) {
      world_.sink.confirm_at_once = Pick(0, 1) == 1;
      world_.sink.Confirm(static_cast<std::size_t>(Pick(0, 3)));
    } else if (action < 97) {
      using Mode = FakeSink::Mode;
      world_.sink.mode = std::array{
          Mode::kAccept,      Mode::kAccept,  Mode::kExhausted,
          Mode::kUnavailable, Mode::kAborted, Mode::kGap}[static_cast<std::size_t>(Pick(0, 5))];
    } else if (action < 99 || term_ == 0) {
      NewTerm();
    } else {
      world_.pump->Mute();
    }
  }

  void Change(Source& source, std::uint32_t base) {
    const std::uint32_t id = base + static_cast<std::uint32_t>(Pick(0, int(keys_)));
    const bool put = Pick(0, 2) > 0;
    const Op erase = Pick(0, 3) == 0 ? Op::kEraseAbrupt : Op::kErase;
    if (put) {
      source.rows[id] = ++value_;
    } else {
      source.rows.erase(id);
    }
    if (source.lane == nullptr) {
      if (source.walking) {
        Restart(source);  // a driver keeps events behind its walk; this one starts again
        return;
      }
      CHECK((put ? world_.Offer({{id, value_}}) : world_.OfferErase(id, erase)).ok());
    } else if (put) {
      (void)source.lane->Put(Row(id, value_));
    } else if (erase == Op::kErase) {
      (void)source.lane->Erase(Key(id));
    } else {
      (void)source.lane->EraseAbrupt(Key(id));
    }
  }

  void Restart(Source& source) {
    if (!world_.Offer({}, kBatchResyncBegin).ok()) {
      driver_restart_ = true;
      return;
    }
    driver_restart_ = false;
    source.walking = true;
    source.left.clear();
    for (const auto& [id, value] : source.rows) {
      source.left.push_back(id);
    }
  }

  // A slice of a walk. Rows may go while it is under way.
  void Walk(Source& source) {
    const bool direct = source.lane == nullptr;
    if (direct ? world_.wanted > answered_ || driver_restart_ : source.lane->ResyncWanted()) {
      if (direct) {
        const int wanted = world_.wanted;
        if (!source.walking || driver_restart_) {
          Restart(source);
        }
        answered_ = wanted;
      } else if (source.lane->BeginResync()) {
        source.walking = true;
        source.left.clear();
        for (const auto& [id, value] : source.rows) {
          source.left.push_back(id);
        }
      }
    }
    if (!source.walking || driver_restart_) {
      return;
    }
    for (int slice = Pick(1, 30); slice > 0 && !source.left.empty(); --slice) {
      const auto row = source.rows.find(source.left.back());
      if (row != source.rows.end()) {
        const bool taken =
            direct ? world_.Offer({*row}).ok() : source.lane->Walk(Row(row->first, row->second));
        if (!taken) {
          return;
        }
      }
      source.left.pop_back();
    }
    if (source.left.empty() &&
        (direct ? world_.Offer({}, kBatchResyncEnd).ok() : source.lane->EndResync())) {
      source.walking = false;
    }
  }

  std::mt19937_64 random_;
  World world_;
  std::uint32_t keys_;
  std::vector<Source> sources_;
  std::uint64_t term_ = 0;
  std::uint64_t value_ = 0;
  int answered_ = 0;
  bool driver_restart_ = false;
};

TEST_CASE("pump: after random faults, losses and resyncs the sink equals the sources") {
  const char* const one = std::getenv("MIMI_SEED");
  const std::uint64_t first = one == nullptr ? 1 : std::strtoull(one, nullptr, 10);
  const std::uint64_t last = one == nullptr ? 500 : first;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    CAPTURE(seed);
    Life(seed).Run();
  }
}

}  // namespace
}  // namespace mimi::testing
