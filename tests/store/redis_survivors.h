#ifndef MIMI_TESTS_STORE_REDIS_SURVIVORS_H_
#define MIMI_TESTS_STORE_REDIS_SURVIVORS_H_

// A writer and a reader that go on when the repository is replaced under them, as pumps and
// replicas do.
//
// Threads: one. Lifetime: the bench outlives them.

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/store/redis_store_under_test.h"

namespace mimi {

/// Writes rows of 100 keys. What is refused because another repository answers makes it claim anew
/// and put everything again.
class SurvivingWriter {
 public:
  explicit SurvivingWriter(contract::Bench& bench, std::string_view name = "writer")
      : bench_(bench), node_(bench, schema_, name, ClaimMode::kShared), writer_(NewWriter()) {}

  void Publish(int count) {
    for (int i = 0; i < count; ++i) {
      ++value_;
      rows_[value_ % 100] = value_;
      Offer(writer_.Put({value_ % 100, value_}).Seal());
    }
  }
  void Erase(contract::Word id) {
    rows_.erase(id);
    Offer(writer_.Erase(id).Seal());
  }
  /// Until all of it is, whatever happens meanwhile. False: not within half a minute.
  bool Confirmed() {
    auto asked = std::chrono::steady_clock::now();
    const auto confirmed = [&] {
      const auto now = std::chrono::steady_clock::now();
      if (node_.store->confirmed() < last_ && now - asked > std::chrono::milliseconds(20)) {
        asked = now;  // a refusal is told who asks; what is there already is not stored again
        const std::vector<std::byte> again = newest_;
        fed_ -= std::max<std::size_t>(BatchView::Parse(again)->size(), 1);
        Offer(*BatchView::Parse(again));
      }
      return node_.store->confirmed() >= last_;
    };
    return bench_.Until(confirmed) || bench_.Until(confirmed) || bench_.Until(confirmed);
  }
  /// What a late reader must find.
  std::map<contract::Word, contract::Word> rows() const { return rows_; }
  const StateSchema& schema() const { return schema_; }
  StateStore& store() { return *node_.store; }
  int claims() const { return claims_; }
  /// How far this writer alone has moved the head.
  Position fed() const { return fed_; }

 private:
  contract::Writer NewWriter() const { return {schema_, node_.origin, node_.claim.term}; }

  void Offer(const BatchView& batch) {
    absl::Status status;
    const bool decided = bench_.Until([&] {
      const absl::StatusOr<Position> taken = node_.store->Apply(batch);
      status = taken.status();
      if (taken.ok()) {
        last_ = *taken;
        newest_.assign(batch.bytes().begin(), batch.bytes().end());
        fed_ += std::max<std::size_t>(batch.size(), 1);
      }
      return taken.ok() || absl::IsFailedPrecondition(status) || absl::IsAborted(status);
    });
    REQUIRE_MESSAGE(decided, status.ToString());
    if (absl::IsFailedPrecondition(status) || absl::IsAborted(status)) {
      Resync();
    }
  }
  void Resync() {
    absl::StatusOr<Claimed> claim = absl::UnavailableError("");
    for (int i = 0; i < 10 && absl::IsUnavailable(claim.status()); ++i) {
      claim = bench_.Claim(
          *node_.store,
          {.origin = node_.origin, .mode = ClaimMode::kShared, .floor = node_.claim.term});
    }
    REQUIRE_MESSAGE(claim.ok(), claim.status().ToString());
    node_.claim = *claim;
    ++claims_;
    writer_ = NewWriter();
    for (const auto& [id, value] : rows_) {
      writer_.Put({id, value});
    }
    Offer(writer_.Seal(kBatchResyncBegin | kBatchResyncEnd));
  }

  contract::Bench& bench_;
  StateSchema schema_ = contract::WordSchema(1);
  contract::Node node_;
  contract::Writer writer_;
  std::map<contract::Word, contract::Word> rows_;
  contract::Word value_ = 0;
  std::vector<std::byte> newest_;  // batch that was taken
  Position last_ = 0;
  Position fed_ = 0;
  int claims_ = 1;
};

/// Follows the feed, and loads a snapshot when that is gone.
class SurvivingReader {
 public:
  SurvivingReader(contract::Bench& bench, StateSchema schema)
      : bench_(bench), schema_(std::move(schema)), store_(bench.Handle()) {
    REQUIRE(bench_.Open(*store_, schema_).ok());
    Load();
  }

  /// Takes what there is.
  void Turn() {
    for (;;) {
      const auto batch = cursor_->Next();
      if (absl::IsDataLoss(batch.status())) {
        Load();
        return;
      }
      if (!batch.ok() || !batch->has_value()) {
        if (batch.ok() && loading_ && cursor_->done()) {
          loading_ = false;
          ++loads_;
          cursor_ = *store_->Watch({store_->state().incarnation, cursor_->position()}, [] {});
          continue;
        }
        if (!batch.ok() && loading_) {
          Load();
        }
        return;
      }
      fresh_.Apply(**batch);
    }
  }
  /// With origins and versions.
  std::map<contract::Word, contract::Follower::Row> live() const { return fresh_.Live(); }
  std::map<contract::Word, contract::Word> rows() const {
    std::map<contract::Word, contract::Word> rows;
    for (const auto& [id, row] : fresh_.Live()) {
      rows[id] = row.words[1];
    }
    return rows;
  }
  bool UntilRows(const std::map<contract::Word, contract::Word>& expected) {
    return bench_.Until([&] {
      Turn();
      return !loading_ && rows() == expected;
    });
  }
  int loads() const { return loads_; }
  /// The feed, as this handle has it, does not go back to where the reader is.
  bool outrun() {
    const auto cursor = store_->Watch({store_->state().incarnation, cursor_->position()}, [] {});
    return absl::IsDataLoss(cursor.ok() ? (*cursor)->Next().status() : cursor.status());
  }

 private:
  void Load() {
    loading_ = true;
    fresh_ = contract::Follower(schema_);
    cursor_ = *store_->Snapshot(schema_.table(), [] {});
  }

  contract::Bench& bench_;
  StateSchema schema_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Cursor> cursor_;
  contract::Follower fresh_{schema_};
  bool loading_ = true;
  int loads_ = 0;
};

}  // namespace mimi

#endif  // MIMI_TESTS_STORE_REDIS_SURVIVORS_H_
