#ifndef MIMI_CONTRACT_STORE_UNDER_TEST_H_
#define MIMI_CONTRACT_STORE_UNDER_TEST_H_

/// \file
/// What the contract suite of stores (store_contract.h) needs to know of the
/// store that it checks, and the small tools that its checks share.
///
/// Threads: one. Lifetime: everything made here ends before the StoreUnderTest.

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/loop.h"
#include "mimi/store.h"

namespace mimi::contract {

/// The repository that a check asks for.
struct StoreLimits {
  std::size_t max_rows = 1'000'000;
  std::size_t feed_bytes = std::size_t{64} << 20;
  Duration tombstone_age = std::chrono::seconds(120);
};

/// One repository, empty at first.
///
/// Implementing: all handles run on loop(). A loop on a virtual clock moves in
/// Advance() only; where time cannot be moved, leave Advance() as it is, and
/// checks that need it are left out, with a message.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;

  virtual Loop& loop() = 0;
  /// A handle such as another node would have. Handles end before the
  /// StoreUnderTest.
  virtual std::unique_ptr<StateStore> NewHandle() = 0;
  /// Lets time pass, for the repository and for the loop. False: cannot.
  virtual bool Advance(Duration) { return false; }
  /// Ends the repository's process and starts it again, with what it had
  /// confirmed. Every handle is closed before the call. False: this repository
  /// does not outlive its handles.
  virtual bool Restart() { return false; }
};

using StoreFactory = std::function<std::unique_ptr<StoreUnderTest>(const StoreLimits&)>;

// ---- What the checks share. Not for others. ----

using Word = std::uint32_t;

/// Rows of words: the key "id", and `values` (1 to 3) values, whose defaults
/// are 101, 102 and 103.
inline StateSchema WordSchema(int values, std::string_view table = "contract.rows") {
  StateSchema::Builder builder(table, 1);
  builder.Key("id", FieldType::kU32);
  for (int i = 1; i <= values; ++i) {
    const std::vector<std::byte> fallback = {std::byte(100 + i), {}, {}, {}};
    builder.Value(std::string("v").append(std::to_string(i)), FieldType::kU32).Default(fallback);
  }
  return *builder.Build();
}

inline std::vector<std::byte> ToBytes(const std::vector<Word>& words) {
  std::vector<std::byte> bytes;
  for (const Word word : words) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<std::byte>(word >> shift));
    }
  }
  return bytes;
}

inline std::vector<Word> ToWords(std::span<const std::byte> bytes) {
  std::vector<Word> words(bytes.size() / 4);
  for (std::size_t i = 0; i < words.size() * 4; ++i) {
    words[i / 4] |= std::to_integer<Word>(bytes[i]) << (i % 4 * 8);
  }
  return words;
}

/// One repository with the loop turned by hand: every call returns when its
/// answer is there.
class Bench {
 public:
  explicit Bench(const StoreFactory& factory, const StoreLimits& limits = {})
      : under_test(factory(limits)) {}

  std::unique_ptr<StateStore> Handle() { return under_test->NewHandle(); }

  /// Turns the loop until `done`, for ten seconds of the real clock at most.
  bool Until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      if (under_test->loop().RunOnce()) {
        continue;
      }
      if (const int fd = under_test->loop().PollFd(); fd >= 0) {
        pollfd readable = {fd, POLLIN, 0};
        poll(&readable, 1, 1);
      } else {
        under_test->Advance(std::chrono::milliseconds(1));
      }
    }
    return true;
  }
  /// Turns it while there is something to do.
  void Settle() {
    for (int i = 0; i < 100 && under_test->loop().RunOnce(); ++i) {}
  }

  absl::Status Open(StateStore& store, const StateSchema& schema) {
    std::optional<absl::Status> answer;
    store.Open(schema, [&answer](absl::Status status) { answer = status; });
    DOCTEST_CHECK_MESSAGE(!answer.has_value(), "Open answered inside the call");
    DOCTEST_REQUIRE(Until([&answer] { return answer.has_value(); }));
    return *answer;
  }

  absl::StatusOr<Claimed> Claim(StateStore& store, const ClaimRequest& request) {
    std::optional<absl::StatusOr<Claimed>> answer;
    store.Claim(request, [&answer](const absl::StatusOr<Claimed>& claimed) { answer = claimed; });
    DOCTEST_CHECK_MESSAGE(!answer.has_value(), "Claim answered inside the call");
    DOCTEST_REQUIRE(Until([&answer] { return answer.has_value(); }));
    return *answer;
  }

  struct FoundRow {
    std::vector<Word> row;
    Origin origin = 0;
    Version version;
  };
  absl::StatusOr<FoundRow> Lookup(StateStore& store, TableId table, const std::vector<Word>& key) {
    std::optional<absl::StatusOr<FoundRow>> answer;
    store.Lookup(table, ToBytes(key), [&answer](const absl::StatusOr<StateStore::Found>& found) {
      if (found.ok()) {
        answer = FoundRow{ToWords(found->row), found->origin, found->version};
      } else {
        answer = found.status();
      }
    });
    DOCTEST_CHECK_MESSAGE(!answer.has_value(), "Lookup answered inside the call");
    DOCTEST_REQUIRE(Until([&answer] { return answer.has_value(); }));
    return *answer;
  }

  /// Applies and waits until it is confirmed, or refused. ResourceExhausted is back-pressure: it is
  /// offered again. So is what is not confirmed after a while: a store that learns only later that
  /// it must refuse says so when it is asked again (sink.h).
  absl::Status Apply(StateStore& store, const BatchView& batch) {
    absl::StatusOr<Position> position = store.Apply(batch);
    auto offered = std::chrono::steady_clock::now();
    const bool decided = Until([&] {
      const bool exhausted = position.status().code() == absl::StatusCode::kResourceExhausted;
      if (!exhausted && (!position.ok() || store.confirmed() >= *position)) {
        return true;
      }
      const auto now = std::chrono::steady_clock::now();
      if (exhausted || now - offered > std::chrono::milliseconds(20)) {
        offered = now;
        position = store.Apply(batch);
      }
      return false;
    });
    DOCTEST_REQUIRE(decided);
    return position.status();
  }

  std::unique_ptr<StoreUnderTest> under_test;
};

/// Makes the batches of one writer, in sequence.
class Writer {
 public:
  Writer(const StateSchema& schema, Origin origin, std::uint64_t term, std::uint64_t sequence = 1)
      : term_(term), sequence_(sequence), builder_(schema, origin) {}

  Writer& Put(const std::vector<Word>& row) {
    DOCTEST_REQUIRE(builder_.Put(ToBytes(row)));
    return *this;
  }
  Writer& Erase(Word id) {
    DOCTEST_REQUIRE(builder_.Erase(ToBytes({id})));
    return *this;
  }
  /// What was put since the last, sealed. The view is valid until the next
  /// Seal().
  BatchView Seal(std::uint16_t flags = 0) {
    builder_.set_flags(flags);
    const BatchView sealed =
        builder_.Seal(term_, sequence_, UnixTime(Duration(1'700'000'000'000'000'000)));
    bytes_.assign(sealed.bytes().begin(), sealed.bytes().end());
    sequence_ += sealed.size();
    builder_.Clear();
    return *BatchView::Parse(bytes_);
  }
  std::uint64_t sequence() const { return sequence_; }

 private:
  std::uint64_t term_;
  std::uint64_t sequence_;
  BatchBuilder builder_;
  std::vector<std::byte> bytes_;
};

/// A writer's whole way in: opened, claimed, ready to apply.
struct Node {
  Node(Bench& bench, const StateSchema& schema, std::string_view name,
       ClaimMode mode = ClaimMode::kExclusive)
      : store(bench.Handle()), origin(OriginOf(name)) {
    DOCTEST_REQUIRE(bench.Open(*store, schema).ok());
    const absl::StatusOr<Claimed> claimed = bench.Claim(*store, {.origin = origin, .mode = mode});
    DOCTEST_REQUIRE_MESSAGE(claimed.ok(), claimed.status().ToString());
    claim = *claimed;
  }
  std::unique_ptr<StateStore> store;
  Origin origin;
  Claimed claim;
};

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_STORE_UNDER_TEST_H_
