// Several processes at one file store, some of which are killed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>
#include <vector>

#include "src/base/unique_fd.h"
#include "tests/store/file_store_under_test.h"

namespace mimi {
namespace {

using absl::StatusCode;
using contract::Word;

constexpr Word kKeys = 500;

// A child process that runs `body` and ends with what it returns. Killed with its owner.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) : pid_(fork()) {
    if (pid_ == 0) {
      _exit(body());
    }
  }
  ~Child() {
    if (pid_ > 0) {
      Kill();
      Wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void Kill() const { kill(pid_, SIGKILL); }
  // The exit code; -1 when a signal ended it.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

// Writes value i to key i % kKeys for i = from, from + 1, …, and tells `acknowledged` what was
// confirmed.
int WriteForEver(const FileStoreOptions& options, int acknowledged, Word from) {
  StoreBench bench(options);
  const StateSchema schema = contract::WordSchema(1);
  contract::Node node(bench, schema, "writer");
  contract::Writer writer(schema, node.origin, node.claim.term);
  for (Word i = from;;) {
    for (int n = 0; n < 20; ++n, ++i) {
      writer.Put({i % kKeys, i});
    }
    if (!bench.Apply(*node.store, writer.Seal()).ok()) {
      return 2;
    }
    const Word last = i - 1;
    if (write(acknowledged, &last, sizeof last) != sizeof last) {
      return 3;
    }
    bench.Settle();  // compaction, inotify
  }
}

TEST_CASE("file store: kill -9 at random moments loses nothing that was confirmed") {
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (const auto fsync : {FileStoreOptions::Fsync::kNever, FileStoreOptions::Fsync::kInterval,
                           FileStoreOptions::Fsync::kEveryBatch}) {
    const TemporaryDirectory directory;
    const FileStoreOptions options = {.path = directory.Join("store"),
                                      .fsync = fsync,
                                      .fsync_interval = std::chrono::milliseconds(1),
                                      .feed_bytes = 32 * 1024};
    Word next = 1;
    for (int round = 0; round < 12; ++round) {
      CAPTURE(round);
      std::array<int, 2> ends{};
      REQUIRE(pipe(ends.data()) == 0);
      UniqueFd reader(ends[0]);
      Word acknowledged = next - 1;
      {
        UniqueFd writer(ends[1]);
        Child child([&] { return WriteForEver(options, writer.get(), next); });
        { UniqueFd closed(std::move(writer)); }
        // Some acknowledgements, then death after some more instructions.
        const int rounds = static_cast<int>(random() % 100);
        for (int i = 0; i <= rounds; ++i) {
          REQUIRE(read(reader.get(), &acknowledged, sizeof acknowledged) == sizeof acknowledged);
        }
        for (auto spin = random() % 20000; spin > 0; --spin) {
          asm volatile("");
        }
        child.Kill();
        CHECK(child.Wait() == -1);
      }
      Word word = 0;
      while (read(reader.get(), &word, sizeof word) == sizeof word) {
        acknowledged = word;
      }
      StoreBench bench(options);
      const StateSchema schema = contract::WordSchema(1);
      auto store = bench.TryHandle();
      REQUIRE_MESSAGE(store.ok(), store.status().ToString());
      REQUIRE(bench.Loaded(**store).ok());
      const auto rows = RowsOf(bench, **store, schema);
      Word last = 0;
      for (const auto& [key, value] : rows) {
        last = std::max(last, value);
      }
      CHECK(last >= acknowledged);
      // All rows are those of one prefix.
      bool whole = rows.size() == std::min(last, kKeys);
      for (Word i = last; i > 0 && i + kKeys > last; --i) {
        const auto row = rows.find(i % kKeys);
        whole = whole && row != rows.end() && row->second == i;
      }
      CHECK_MESSAGE(whole, "rows up to ", last);
      next = last + 1;
    }
  }
}

// Writes `batches` batches of its own keys under a shared claim; 4 when it is fenced.
int WriteShare(const FileStoreOptions& options, Word share, int batches) {
  StoreBench bench(options);
  const StateSchema schema = contract::WordSchema(1);
  const auto store = bench.Handle();
  if (!bench.Open(*store, schema).ok()) {
    return 2;
  }
  const Origin origin = 100 + share;
  const auto claimed = bench.Claim(*store, {.origin = origin, .mode = ClaimMode::kShared});
  if (!claimed.ok()) {
    return 3;
  }
  contract::Writer writer(schema, origin, claimed->term);
  for (int batch = 0; batches == 0 || batch < batches; ++batch) {
    for (Word n = 0; n < 50; ++n) {
      writer.Put({share * 1000 + n, static_cast<Word>(batch)});
    }
    const absl::Status status = bench.Apply(*store, writer.Seal());
    if (!status.ok()) {
      return status.code() == StatusCode::kAborted ? 4 : 5;
    }
    bench.Settle();
  }
  return 0;
}

TEST_CASE("file store: three processes write at once, a fourth follows, and all agree") {
  const TemporaryDirectory directory;
  const FileStoreOptions options = {.path = directory.Join("store")};
  constexpr int kBatches = 200;
  Child a([&] { return WriteShare(options, 1, kBatches); });
  Child b([&] { return WriteShare(options, 2, kBatches); });
  Child c([&] { return WriteShare(options, 3, kBatches); });
  StoreBench bench(options);
  const StateSchema schema = contract::WordSchema(1);
  const auto store = bench.Handle();
  REQUIRE(bench.Open(*store, schema).ok());
  bool woken = true;
  auto watch = *store->Watch({}, [&woken] { woken = true; });
  contract::Follower follower(schema);
  constexpr Position kAll = Position{3} * kBatches * 50;
  REQUIRE(bench.Until([&] {  // by its wake-ups alone
    while (woken) {
      const auto batch = watch->Next();
      REQUIRE_MESSAGE(batch.ok(), batch.status().ToString());
      if (batch->has_value()) {
        follower.Apply(**batch);
      } else {
        woken = false;
      }
    }
    return watch->position() == kAll;
  }));
  CHECK(a.Wait() == 0);
  CHECK(b.Wait() == 0);
  CHECK(c.Wait() == 0);
  CHECK(store->state().rows == 150);
  CHECK(contract::LoadedRows(bench, *store, schema) == follower.Live());
}

TEST_CASE("file store: an exclusive claim of one process stops the writer of another") {
  const TemporaryDirectory directory;
  const FileStoreOptions options = {.path = directory.Join("store"), .feed_bytes = 64 * 1024};
  Child zombie([&] { return WriteShare(options, 1, 0); });
  StoreBench bench(options);
  const StateSchema schema = contract::WordSchema(1);
  const auto store = bench.Handle();
  REQUIRE(bench.Open(*store, schema).ok());
  REQUIRE(bench.Until([&] { return store->state().head > 1000; }));
  const auto claimed = bench.Claim(*store, {.origin = 7});
  REQUIRE(claimed.ok());
  CHECK(zombie.Wait() == 4);
  CHECK_MESSAGE(store->state().head == claimed->head,
                "nothing of an older term stands behind the fence");
}

}  // namespace
}  // namespace mimi
