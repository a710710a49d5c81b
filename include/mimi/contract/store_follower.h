#ifndef MIMI_CONTRACT_STORE_FOLLOWER_H_
#define MIMI_CONTRACT_STORE_FOLLOWER_H_

/// \file
/// Part of the contract suite of stores (store_contract.h): the simplest reader
/// that is right.
///
/// Threads: one; the suite runs everything on the test's thread.

#include <map>
#include <random>

#include <doctest/doctest.h>

#include "mimi/contract/store_under_test.h"

namespace mimi::contract {

/// What a reader makes of a store's batches: rows, and what is left of erased
/// ones.
class Follower {
 public:
  struct Row {
    std::vector<Word> words;  ///< empty: erased
    Origin origin = 0;
    Version version;
    friend bool operator==(const Row&, const Row&) = default;
  };

  explicit Follower(StateSchema schema) : schema_(std::move(schema)) {}

  void Apply(const BatchView& batch) {
    if (batch.table() != schema_.table()) {
      return;
    }
    for (const RecordView record : batch) {
      Row& row = rows_[ToWords(record.key)[0]];
      if (record.version <= row.version) {
        continue;
      }
      std::vector<Word> words = record.op == Op::kPut ? ToWords(record.row) : std::vector<Word>();
      if (record.op == Op::kPut) {
        words.resize(schema_.row_size() / 4);
        const std::vector<Word> tail =
            row.words.empty() ? ToWords(schema_.default_row()) : row.words;
        for (std::size_t i = record.row.size() / 4; i < words.size(); ++i) {
          words[i] = tail[i];
        }
      }
      row = {std::move(words), record.origin, record.version};
    }
  }

  std::map<Word, Row> Live() const {
    std::map<Word, Row> live;
    for (const auto& [id, row] : rows_) {
      if (!row.words.empty()) {
        live[id] = row;
      }
    }
    return live;
  }

 private:
  StateSchema schema_;
  std::map<Word, Row> rows_;
};

/// Reads a watch up to `head`, or a snapshot to its end. Fails the test on an
/// error.
inline void Read(Bench& bench, Cursor& cursor, Position head,
                 const std::function<void(const BatchView&)>& take) {
  REQUIRE(bench.Until([&] {
    while (!cursor.done()) {
      const auto batch = cursor.Next();
      REQUIRE_MESSAGE(batch.ok(), batch.status().ToString());
      if (!batch->has_value()) {
        break;
      }
      REQUIRE_MESSAGE(BatchView::Parse((*batch)->bytes()).ok(),
                      "a cursor's batch is a whole sealed batch");
      take(**batch);
    }
    return cursor.done() || cursor.position() >= head;
  }));
}

/// What a new follower has that loads a snapshot and then watches up to the
/// head.
inline std::map<Word, Follower::Row> LoadedRows(Bench& bench, StateStore& store,
                                                const StateSchema& schema) {
  Follower follower(schema);
  auto snapshot = store.Snapshot(schema.table(), [] {});
  REQUIRE(snapshot.ok());
  const auto apply = [&](const BatchView& batch) {
    follower.Apply(batch);
  };
  Read(bench, **snapshot, ~Position{0}, apply);
  auto watch = store.Watch({store.state().incarnation, (*snapshot)->position()}, [] {});
  REQUIRE(watch.ok());
  Read(bench, **watch, store.state().head, apply);
  return follower.Live();
}

/// Random puts and erases of ids below `ids`.
inline void Scribble(std::mt19937& random, Word ids, int count, Writer& writer) {
  for (int i = 0; i < count; ++i) {
    const Word id = static_cast<Word>(random()) % ids;
    if (random() % 4 == 0) {
      writer.Erase(id);
    } else {
      writer.Put({id, static_cast<Word>(random())});
    }
  }
}

}  // namespace mimi::contract

#endif  // MIMI_CONTRACT_STORE_FOLLOWER_H_
