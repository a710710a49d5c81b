#include "src/engine/feed.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "src/base/backoff.h"
#include "src/base/status.h"
#include "tests/engine/feed_rig.h"

namespace mimi::internal {
namespace {

using namespace mimi::testing;  // NOLINT(google-build-using-namespace)
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Writes down what it is told: "begin@3 snap(1=10) live(2=20) end …".
class Recorder : public FeedSubscriber {
 public:
  void OnOtherIncarnation() override { log += "other "; }
  void OnLoadBegin(Position at) override { log += fmt::format("begin@{} ", at); }
  void OnBatch(const BatchView& batch, Position after, bool snapshot) override {
    last = after;
    log += snapshot ? "snap(" : "live(";
    std::string separator;
    for (const RecordView record : batch) {
      log += fmt::format(
          "{}{}{}", separator, LoadLe<Word>(record.key.data()),
          record.op == Op::kPut ? fmt::format("={}", LoadLe<Word>(record.row.data() + 4)) : "-");
      separator = " ";
    }
    log += ") ";
  }
  void OnLoadEnd() override { log += "end "; }

  std::string Take() { return std::exchange(log, {}); }
  std::string log;
  Position last = 0;
};

struct FeedRig : Rig {
  explicit FeedRig(std::size_t feed_bytes = std::size_t{1} << 20) : Rig(feed_bytes) { NewFeed(); }

  void NewFeed() {
    feed =
        std::make_unique<Feed>(*store, loop,
                               FeedOptions{.wake = [this] { woken = true; },
                                           .on_event =
                                               [this](std::string_view kind, const std::string&) {
                                                 events += std::string(kind) + " ";
                                               }});
    feed->Subscribe(schema.table(), recorder);
  }
  /// Runs the loop and the feed as an engine would, until there is nothing to do.
  void Settle() {
    for (bool more = true; more;) {
      time.RunFor(Duration(0));
      woken = false;
      more = feed->Tick(loop.now());
      time.RunFor(Duration(0));
      more = more || woken;
    }
  }
  /// The same, and waits for the feed's deadlines, for `most` at the longest.
  void SettleFor(Duration most) {
    const MonotonicTime until = loop.now() + most;
    Settle();
    while (feed->NextDeadline().has_value() && *feed->NextDeadline() <= until) {
      time.RunFor(std::max(Duration(0), Duration(*feed->NextDeadline() - loop.now())));
      Settle();
    }
    time.RunFor(until - loop.now());
  }
  void Start() {
    feed->Start();
    Settle();
  }

  Recorder recorder;
  bool woken = false;
  std::string events;
  std::unique_ptr<Feed> feed;
};

TEST_CASE("feed: a load gives the snapshot first, then follows") {
  FeedRig rig;
  REQUIRE(rig.writer->Put(1, 10).Put(2, 20).Send().ok());
  rig.Start();
  CHECK(rig.recorder.Take() == "begin@2 snap(1=10 2=20) end ");
  CHECK(rig.feed->loaded());
  REQUIRE(rig.writer->Put(3, 30).Erase(1).Send().ok());
  rig.Settle();
  CHECK(rig.recorder.Take() == "live(3=30 1-) ");
  CHECK(rig.recorder.last == 4);
  CHECK(rig.feed->state().behind() == 0);
  CHECK(rig.feed->state().caught_up);
  CHECK(rig.feed->state().loads == 1);
  CHECK(rig.feed->state().records == 2);
  CHECK(rig.events == "load ");
}

TEST_CASE("feed: an empty store is loaded at once") {
  FeedRig rig;
  rig.Start();
  CHECK(rig.recorder.Take() == "begin@0 end ");
}

TEST_CASE("feed: what happens during the snapshot is told before its end") {
  FeedRig rig;
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.feed->Start();
  class Meddler : public FeedSubscriber {
   public:
    explicit Meddler(WriterNode& writer) : writer_(writer) {}
    void OnLoadBegin(Position) override {}
    void OnBatch(const BatchView&, Position, bool snapshot) override {
      if (snapshot && !done_) {
        done_ = true;
        REQUIRE(writer_.Erase(1).Send().ok());
        REQUIRE(writer_.Put(1, 11).Send().ok());
      }
    }
    void OnLoadEnd() override {}

   private:
    WriterNode& writer_;
    bool done_ = false;
  } meddler(*rig.writer);
  rig.NewFeed();
  rig.feed->Subscribe(rig.schema.table(), meddler);
  rig.Start();
  CHECK(rig.recorder.Take() == "begin@1 snap(1=10) live(1-) live(1=11) end ");
}

TEST_CASE("feed: heartbeats say when a writer was last heard, and how fresh the feed is") {
  FeedRig rig;
  rig.Start();
  CHECK(rig.feed->Find(rig.schema.table(), rig.writer->origin) == nullptr);
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.Settle();
  rig.time.RunFor(milliseconds(250));
  const UnixTime sealed = rig.loop.unix_now();
  REQUIRE(rig.writer->Send().ok());
  rig.time.RunFor(milliseconds(3));
  rig.Settle();
  const FeedStream* stream = rig.feed->Find(rig.schema.table(), rig.writer->origin);
  REQUIRE(stream != nullptr);
  CHECK(stream->newest == sealed);
  CHECK(stream->heard == rig.loop.now());
  CHECK(stream->term == rig.writer->term);
  CHECK(stream->records == 1);
  CHECK(rig.recorder.Take() == "begin@0 end live(1=10) live() ");
}

TEST_CASE("feed: a gap is counted and leads to one load") {
  FeedRig rig;
  rig.Start();
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.Settle();
  rig.recorder.Take();
  rig.faults.drop = 1;
  REQUIRE(rig.writer->Put(2, 20).Send().ok());
  REQUIRE(rig.writer->Put(3, 30).Send().ok());
  rig.Settle();
  CHECK(rig.recorder.Take() == "begin@3 snap(1=10 2=20 3=30) end ");
  CHECK(rig.feed->state().gaps == 1);
  CHECK(rig.feed->state().loads == 2);
  CHECK(rig.faults.snapshots == 2);
  CHECK(rig.events == "load lost load ");
}

TEST_CASE("feed: a batch lost at the end of a stream is noticed by the next heartbeat") {
  FeedRig rig;
  rig.Start();
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.Settle();
  rig.faults.drop = 1;
  REQUIRE(rig.writer->Put(2, 20).Send().ok());
  rig.Settle();
  CHECK(rig.feed->state().gaps == 0);
  REQUIRE(rig.writer->Send().ok());
  rig.Settle();
  CHECK(rig.feed->state().gaps == 1);
  CHECK(rig.feed->state().loads == 2);
}

TEST_CASE("feed: batches in the wrong order are a gap, batches that come twice are not") {
  FeedRig rig;
  rig.Start();
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.Settle();
  SUBCASE("swapped") {
    rig.faults.swap = 1;
    REQUIRE(rig.writer->Put(2, 20).Send().ok());
    REQUIRE(rig.writer->Put(3, 30).Send().ok());
    rig.Settle();
    CHECK(rig.feed->state().gaps == 1);
    CHECK(rig.feed->state().loads == 2);
  }
  SUBCASE("repeated") {
    rig.recorder.Take();
    rig.faults.repeat = 2;
    REQUIRE(rig.writer->Put(2, 20).Send().ok());
    REQUIRE(rig.writer->Put(3, 30).Send().ok());
    rig.Settle();
    CHECK(rig.feed->state().gaps == 0);
    CHECK(rig.feed->state().loads == 1);
    CHECK(rig.recorder.Take() == "live(2=20) live(2=20) live(3=30) live(3=30) ");
  }
}

TEST_CASE("feed: a new term begins anywhere, and each writer counts for itself") {
  FeedRig rig;
  rig.Start();
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  WriterNode other(rig.schema, "edge2", rig.time, rig.loop, rig.repository);
  other.sequence = 100;
  REQUIRE(other.Put(2, 20).Send().ok());
  rig.writer->Claim();
  rig.writer->sequence = 50;
  REQUIRE(rig.writer->Put(3, 30).Send().ok());
  REQUIRE(rig.writer->Put(4, 40).Send().ok());
  rig.Settle();
  CHECK(rig.feed->state().gaps == 0);
  CHECK(rig.feed->state().loads == 1);
  CHECK(rig.feed->Find(rig.schema.table(), other.origin)->term == other.term);
}

TEST_CASE("feed: a log that was trimmed past the reader leads to a load") {
  FeedRig rig(4096);
  rig.Start();
  for (Word round = 0; round < 20; ++round) {
    for (Word id = 0; id < 100; ++id) {
      rig.writer->Put(id, round);
    }
    REQUIRE(rig.writer->Send().ok());
  }
  rig.Settle();
  CHECK(rig.feed->state().positions_gone == 1);
  CHECK(rig.feed->state().loads == 2);
  CHECK(rig.feed->position() == 2000);
  CHECK(rig.recorder.log.find("99=19") != std::string::npos);
}

TEST_CASE("feed: another incarnation is announced before its load") {
  FeedRig rig;
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.Start();
  rig.recorder.Take();
  rig.ReplaceRepository();
  REQUIRE(rig.writer->Put(2, 20).Send().ok());
  rig.faults.lose_position = 0;  // the wish below is enough
  rig.feed->Reload("told so");
  rig.SettleFor(seconds(1));
  CHECK(rig.recorder.Take() == "other begin@1 snap(2=20) end ");
  CHECK(rig.feed->state().incarnation == rig.store->state().incarnation);
}

TEST_CASE("feed: an unavailable store is waited for, with back-off, and the place is kept") {
  FeedRig rig;
  rig.Start();
  rig.recorder.Take();
  rig.faults.unavailable = true;
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.SettleFor(seconds(10));
  const std::uint64_t retries = rig.feed->state().retries;
  CHECK(retries >= 7);
  CHECK(retries <= 25);
  CHECK(rig.feed->state().reason == "the store is away");
  CHECK(!rig.feed->state().caught_up);
  rig.faults.unavailable = false;
  rig.SettleFor(seconds(3));
  CHECK(rig.recorder.Take() == "live(1=10) ");
  CHECK(rig.feed->state().loads == 1);
}

TEST_CASE("feed: a store that is away at the start, or in the middle of a load, is loaded later") {
  FeedRig rig;
  REQUIRE(rig.writer->Put(1, 10).Send().ok());
  rig.faults.unavailable = true;
  rig.Start();
  CHECK(rig.recorder.Take().empty());
  CHECK(rig.feed->NextDeadline().has_value());
  rig.faults.unavailable = false;
  rig.SettleFor(seconds(1));
  CHECK(rig.recorder.Take() == "begin@1 snap(1=10) end ");
}

TEST_CASE("feed: losses one after the other are answered slower and slower") {
  FeedRig rig;
  rig.Start();
  rig.faults.lose_position = 1'000'000;
  REQUIRE(rig.writer->Send().ok());
  rig.SettleFor(seconds(10));
  CHECK(rig.faults.snapshots > 8);
  CHECK(rig.faults.snapshots < 30);
  rig.faults.lose_position = 0;
  rig.SettleFor(seconds(5));
  CHECK(rig.feed->loaded());
}

TEST_CASE("feed: a tick reads no more than its share") {
  FeedRig rig;
  rig.Start();
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(rig.writer->Put(1, 1).Send().ok());
  }
  rig.time.RunFor(Duration(0));
  CHECK(rig.feed->Tick(rig.loop.now()));
  CHECK(rig.feed->state().batches <= FeedOptions().batches_per_tick);
  rig.Settle();
  CHECK(rig.feed->state().batches == 1000);
}

TEST_CASE("feed: a wake-up that comes after the feed is gone does nothing") {
  FeedRig rig;
  rig.Start();
  rig.feed.reset();
  REQUIRE(rig.writer->Put(1, 1).Send().ok());
  rig.time.RunFor(seconds(1));
  CHECK(!rig.woken);
}

TEST_CASE("backoff: waits grow to the most, never above, with jitter") {
  Backoff backoff(milliseconds(20), seconds(2), 7);
  Duration longest{};
  for (int i = 0; i < 100; ++i) {
    const Duration wait = backoff.Next();
    const Duration whole = i < 7 ? Duration(milliseconds(20)) * (1 << i) : Duration(seconds(2));
    CHECK(wait >= std::min<Duration>(whole, seconds(2)) / 2);
    CHECK(wait <= std::min<Duration>(whole, seconds(2)));
    longest = std::max(longest, wait);
  }
  CHECK(longest > seconds(1));
  backoff.Reset();
  CHECK(backoff.Next() <= milliseconds(20));
}

}  // namespace
}  // namespace mimi::internal
