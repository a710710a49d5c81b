// The rows and the changes that the benchmarks of tables, stores and the pipeline share, so that
// their numbers compare.
//
//   ChangeStream changes(schema, /*origin=*/1, /*term=*/1, /*rows=*/1'000'000);
//   while (!changes.full()) {
//     const std::vector<std::vector<std::byte>> sealed = changes.Fill(1000);
//     … parse and apply them, and measure that …
//   }
//
// Keys are uniformly random. While the table fills, half of the records update a live row, one in
// twenty erases one, and the rest are new rows; so growing is part of what is measured. Afterwards
// Steady() goes on over the rows that are there: 90 % updates, 5 % erases, 5 % new rows.
//
// Threads: one at a time.
#ifndef MIMI_BENCH_ROWS_H_
#define MIMI_BENCH_ROWS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "mimi/record.h"
#include "mimi/schema.h"

namespace mimi::bench {

/// Records in a batch: a millisecond's at 256,000 a second.
inline constexpr std::size_t kPerBatch = 256;

/// A 13-byte key (an IPv4 five-tuple) and a 16-byte value. The other shape is mimi::Flow.
inline StateSchema SmallSchema() {
  return *StateSchema::Builder("bench.small", 1)
              .Key("key", FieldType::kBytes, 13)
              .Value("value", FieldType::kBytes, 16)
              .Build();
}

/// Key number `id`, spread over its first and last bytes. REQUIRES: 13 bytes or more.
inline void FillKey(std::uint64_t id, std::span<std::byte> key) {
  const std::uint64_t spread = id * 0x9E3779B97F4A7C15U;
  std::memset(key.data(), 0, key.size());
  std::memcpy(key.data(), &id, 8);
  std::memcpy(key.data() + key.size() - 5, &spread, 5);
}

class ChangeStream {
 public:
  using Sealed = std::vector<std::vector<std::byte>>;

  ChangeStream(const StateSchema& schema, Origin origin, std::uint64_t term, std::size_t rows)
      : builder_(schema, origin, kMaxBatchSize),
        term_(term),
        rows_(rows),
        row_(schema.row_size(), std::byte{1}),
        key_(std::span(row_).first(schema.key_size())) {
    live_.reserve(rows);
  }

  bool full() const { return live_.size() >= rows_; }
  std::size_t live() const { return live_.size(); }
  std::uint64_t records() const { return next_sequence_ - 1; }

  /// At most `batches`; fewer when the table is full before.
  Sealed Fill(std::size_t batches) {
    return Make(batches, /*updates=*/10, [this] { return full(); });
  }
  Sealed Steady(std::size_t batches) {
    return Make(batches, /*updates=*/18, [] { return false; });
  }

 private:
  // `updates`, and one erase, of 20 records.
  template <class Done>
  Sealed Make(std::size_t batches, std::uint64_t updates, Done done) {
    Sealed sealed;
    while (sealed.size() < batches && !done()) {
      builder_.Clear();
      while (builder_.size() < kPerBatch && !done()) {
        Add(random_() % 20, updates);
      }
      const BatchView batch = builder_.Seal(term_, next_sequence_, UnixTime());
      next_sequence_ += batch.size();
      sealed.emplace_back(batch.bytes().begin(), batch.bytes().end());
    }
    return sealed;
  }

  void Add(std::uint64_t dice, std::uint64_t updates) {
    const std::size_t at = live_.empty() ? 0 : random_() % live_.size();
    if (live_.empty() || dice > updates) {
      live_.push_back(next_id_);
      Put(next_id_++);
    } else if (dice < updates) {
      Put(live_[at]);
    } else {
      FillKey(live_[at], key_);
      builder_.Erase(key_);
      live_[at] = live_.back();
      live_.pop_back();
    }
  }
  void Put(std::uint64_t id) {
    FillKey(id, key_);
    builder_.Put(row_);
  }

  std::mt19937_64 random_{1};
  BatchBuilder builder_;
  std::uint64_t term_;
  std::size_t rows_;
  std::vector<std::byte> row_;
  std::span<std::byte> key_;
  std::vector<std::uint64_t> live_;
  std::uint64_t next_id_ = 0;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace mimi::bench

#endif  // MIMI_BENCH_ROWS_H_
