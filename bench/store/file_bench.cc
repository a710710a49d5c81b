// The file store: how fast it takes batches, how fast it comes back, how soon another process
// knows.
//
// 13-byte keys and 16-byte values, uniform random over 1M live rows. One run applies 2M records:
// every second one is a new key until there are 1M and a few, the others update a random row or (5
// % of all) erase one. Batches of 256, sealed beforehand. Files are in the system's temporary
// directory, or in $MIMI_BENCH_DIR; the page cache is warm.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "mimi/builtin/file_store.h"
#include "mimi/loop.h"

#include "bench/bench.h"

namespace {

using namespace mimi;
using bench::Bench;

constexpr std::size_t kKeySize = 13;
constexpr std::size_t kValueSize = 16;
constexpr std::size_t kBatch = 256;

StateSchema Schema() {
  return *StateSchema::Builder("bench.rows", 1)
              .Key("key", FieldType::kBytes, kKeySize)
              .Value("value", FieldType::kBytes, kValueSize)
              .Build();
}

class Directory {
 public:
  Directory() {
    const char* const where = std::getenv("MIMI_BENCH_DIR");
    std::filesystem::path parent =
        where != nullptr ? std::filesystem::path(where) : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "mimi-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      std::abort();
    }
    path_ = pattern;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string store() const { return path_ + "/store"; }

 private:
  std::string path_;
};

void FillRow(std::uint64_t id, std::uint64_t value, std::byte* row) {
  std::uint64_t mixed = (id + 1) * 0x9E3779B97F4A7C15U;
  std::memcpy(row, &mixed, 8);
  mixed ^= mixed >> 29;
  std::memcpy(row + 8, &mixed, kKeySize - 8);
  std::memcpy(row + kKeySize, &value, 8);
  std::memcpy(row + kKeySize + 8, &mixed, 8);
}

// Sealed batches of `records` records over `live` keys.
std::vector<std::vector<std::byte>> MakeBatches(std::size_t records, std::size_t live,
                                                std::uint64_t term) {
  std::mt19937_64 random(1);
  BatchBuilder builder(Schema(), 1);
  std::vector<std::vector<std::byte>> batches;
  std::vector<std::byte> row(kKeySize + kValueSize);
  std::size_t keys = 0;
  std::uint64_t sequence = 1;
  for (std::size_t i = 0; i < records; ++i) {
    if ((i % 2 == 0 && keys < live) || keys == 0) {
      FillRow(keys++, i, row.data());
      builder.Put(row);
    } else {
      FillRow(random() % keys, i, row.data());
      if (random() % 10 == 0) {
        builder.Erase(std::span(row).first(kKeySize));
      } else {
        builder.Put(row);
      }
    }
    if (builder.size() == kBatch || i + 1 == records) {
      const BatchView batch = builder.Seal(term, sequence, UnixTime());
      sequence += batch.size();
      batches.emplace_back(batch.bytes().begin(), batch.bytes().end());
      builder.Clear();
    }
  }
  return batches;
}

void RunUntil(Loop& loop, const std::function<bool()>& done) {
  while (!done()) {
    pollfd readable = {loop.PollFd(), POLLIN, 0};
    poll(&readable, 1, 1000);
    loop.RunOnce();
  }
}

std::uint64_t OpenAndClaim(Loop& loop, StateStore& store) {
  std::uint64_t term = 0;
  bool open = false;
  store.Open(Schema(), [&open](const absl::Status& status) { open = status.ok(); });
  store.Claim({.origin = 1},
              [&term](const absl::StatusOr<Claimed>& claim) { term = claim.value().term; });
  RunUntil(loop, [&] { return open && term != 0; });
  return term;
}

// Applies everything and waits until it is confirmed. Returns millions of records per second.
double ApplyAll(Bench& bench, Loop& loop, StateStore& store,
                const std::vector<std::vector<std::byte>>& batches, std::size_t records) {
  std::vector<BatchView> views;
  for (const auto& bytes : batches) {
    views.push_back(*BatchView::Parse(bytes));
  }
  const auto start = bench::Now();
  Position last = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    absl::StatusOr<Position> position = store.Apply(views[i]);
    while (position.status().code() == absl::StatusCode::kResourceExhausted) {
      loop.RunOnce();
      position = store.Apply(views[i]);
    }
    last = position.value();
    if (i % 8 == 7) {
      loop.RunOnce();
    }
  }
  RunUntil(loop, [&] { return store.confirmed() >= last; });
  const double seconds = bench::SecondsSince(start);
  const StoreState state = store.state();
  if (state.head != records || state.table_full != 0 || state.stale != 0) {
    bench.Fail("records were lost");
  }
  return static_cast<double>(records) / seconds / 1e6;
}

double Apply(Bench& bench, FileStoreOptions::Fsync fsync) {
  const Directory directory;
  const auto loop = *NewEpollLoop();
  const auto store = *NewFileStore({.path = directory.store(), .fsync = fsync}, *loop);
  const std::uint64_t term = OpenAndClaim(*loop, *store);
  const std::size_t records = bench.Scale(2'000'000);
  return ApplyAll(bench, *loop, *store, MakeBatches(records, bench.Scale(1'000'000), term),
                  records);
}

// Seconds from the factory to the answer of Open, with `rows` live rows.
void Recover(Bench& bench) {
  if (!bench.Wants("store.file.recover_s")) {
    return;
  }
  const Directory directory;
  const std::size_t records = bench.Scale(2'000'000);
  {
    const auto loop = *NewEpollLoop();
    const auto store = *NewFileStore({.path = directory.store()}, *loop);
    const std::uint64_t term = OpenAndClaim(*loop, *store);
    ApplyAll(bench, *loop, *store, MakeBatches(records, bench.Scale(1'050'000), term), records);
    bench.Report("store.file.recover_rows", "rows", {static_cast<double>(store->state().rows)});
  }
  bench.Run("store.file.recover_s", "s", [&] {
    const auto loop = *NewEpollLoop();
    const auto start = bench::Now();
    const auto store = *NewFileStore({.path = directory.store()}, *loop);
    bool open = false;
    store->Open(Schema(), [&open](const absl::Status& status) { open = status.ok(); });
    RunUntil(*loop, [&] { return open; });
    return bench::SecondsSince(start);
  });
}

// Follows in a process of its own, and writes each batch's age in ms to `out`.
int FollowAges(const std::string& path, std::size_t batches, int out) {
  const auto loop = *NewEpollLoop();
  const auto store = *NewFileStore({.path = path}, *loop);
  bool woken = true;
  const auto watch = *store->Watch({}, [&woken] { woken = true; });
  std::vector<double> ages;
  RunUntil(*loop, [&] {
    while (woken) {
      const auto batch = watch->Next();
      woken = batch.ok() && batch->has_value();
      if (woken) {
        ages.push_back(
            std::chrono::duration<double, std::milli>(loop->unix_now() - (*batch)->time()).count());
      }
    }
    return ages.size() >= batches;
  });
  const std::size_t size = ages.size() * sizeof(double);
  return write(out, ages.data(), size) == static_cast<ssize_t>(size) ? 0 : 1;
}

// 100,000 records a second, in a batch each ms, to a follower in another process.
void Lag(Bench& bench) {
  if (!bench.Wants("store.file.follow_lag")) {
    return;
  }
  const Directory directory;
  const std::size_t batches = std::max<std::size_t>(bench.Scale(3'000), 50);
  int ends[2];
  const auto loop = *NewEpollLoop();
  auto store = *NewFileStore({.path = directory.store()}, *loop);
  const std::uint64_t term = OpenAndClaim(*loop, *store);
  if (pipe(ends) != 0) {
    return bench.Fail("no pipe");
  }
  const pid_t child = fork();
  if (child == 0) {
    _exit(FollowAges(directory.store(), batches, ends[1]));
  }
  close(ends[1]);
  BatchBuilder builder(Schema(), 1);
  std::vector<std::byte> row(kKeySize + kValueSize);
  std::size_t sent = 0;
  std::function<void()> tick = [&] {
    for (std::size_t i = 0; i < 100; ++i) {
      FillRow(sent * 100 + i, i, row.data());
      builder.Put(row);
    }
    const absl::StatusOr<Position> position =
        store->Apply(builder.Seal(term, sent * 100 + 1, loop->unix_now()));
    builder.Clear();
    if (!position.ok()) {
      bench.Fail("a batch was refused");
    }
    if (++sent < batches) {
      loop->At(loop->now() + std::chrono::milliseconds(1), tick);
    } else {
      loop->Stop();
    }
  };
  // The follower needs a moment to start; what it finds then is not news.
  loop->At(loop->now() + std::chrono::milliseconds(100), tick);
  loop->Run();
  std::vector<double> ages;
  double age = 0;
  while (read(ends[0], &age, sizeof age) == sizeof age) {
    ages.push_back(age);
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  if (ages.size() < batches) {
    return bench.Fail("the follower has not seen all batches");
  }
  std::sort(ages.begin(), ages.end());
  bench.Report("store.file.follow_lag_p50_ms", "ms", {ages[ages.size() / 2]});
  bench.Report("store.file.follow_lag_p99_ms", "ms", {ages[ages.size() * 99 / 100]});
}

}  // namespace

void BenchMain(Bench& bench) {
  bench.Run("store.file.apply_mps", "M/s",
            [&] { return Apply(bench, FileStoreOptions::Fsync::kNever); });
  bench.Run("store.file.fsync_mps", "M/s",
            [&] { return Apply(bench, FileStoreOptions::Fsync::kInterval); });
  bench.Run("store.file.fsync_batch_mps", "M/s",
            [&] { return Apply(bench, FileStoreOptions::Fsync::kEveryBatch); });
  Recover(bench);
  Lag(bench);
}
