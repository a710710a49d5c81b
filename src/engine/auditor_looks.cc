// Auditor's looks: what is compared with what, and when a difference counts.

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/status.h"
#include "src/engine/auditor.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kLeastBudget = 64;
constexpr std::size_t kMostBudget = 65536;
constexpr std::uint32_t kRowsPerStep = 1024;
constexpr int kKeysPerStep = 256;

std::string ToText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

/// The first look: every row that the data plane holds, against ours.
class Auditor::FirstVisitor : public AuditVisitor {
 public:
  explicit FirstVisitor(Auditor& auditor) : auditor_(auditor) {}

  void Row(std::span<const std::byte> row) override {
    ++auditor_.result_.compared;
    RowMap& rows = auditor_.replica_.rows();
    const auto key = row.first(rows.schema().key_size());
    const std::optional<RowMap::Row> ours = rows.Find(key);
    if (!ours.has_value()) {
      auditor_.Note(key, Kind::kExtra, rows.FindVersion(key));
      return;
    }
    if (const std::size_t word = ours->number / 64; word < auditor_.shown_.size()) {
      auditor_.shown_[word] |= std::uint64_t{1} << (ours->number % 64);
    }
    if (auditor_.Differs(row, ours->row)) {
      auditor_.Note(key, Kind::kDifferent, ours->version);
    }
  }
  void Finding(std::string_view kind, std::string_view detail) override {
    auditor_.AddFinding(fmt::format("{}: {}", kind, detail));
  }

 private:
  Auditor& auditor_;
};

/// The second look: only the keys that were noted.
class Auditor::SecondVisitor : public AuditVisitor {
 public:
  explicit SecondVisitor(Auditor& auditor) : auditor_(auditor) {}

  void Row(std::span<const std::byte> row) override {
    RowMap& rows = auditor_.replica_.rows();
    const auto key = row.first(rows.schema().key_size());
    const auto noted =
        auditor_.noted_.find(ToAbsl({reinterpret_cast<const char*>(key.data()), key.size()}));
    if (noted != auditor_.noted_.end()) {
      const std::optional<RowMap::Row> ours = rows.Find(key);
      noted->second.shown = true;
      noted->second.differs = ours.has_value() && auditor_.Differs(row, ours->row);
    }
  }
  void Finding(std::string_view, std::string_view) override {}  // the first look has it

 private:
  Auditor& auditor_;
};

absl::Status Auditor::StepSink() {
  class : public AuditVisitor {
    void Row(std::span<const std::byte>) override {}
    void Finding(std::string_view, std::string_view) override {}
  } rest;  // of a walk that a pass before left in the middle
  FirstVisitor first(*this);
  SecondVisitor second(*this);
  const bool resting = rest_of_walk_;
  AuditVisitor& visitor = resting                       ? static_cast<AuditVisitor&>(rest)
                          : stage_ == Stage::kFirstSink ? static_cast<AuditVisitor&>(first)
                                                        : static_cast<AuditVisitor&>(second);
  const MonotonicTime start = loop_.now();
  const absl::StatusOr<bool> done = replica_.WalkSink(visitor, budget_);
  if (!done.ok()) {
    return done.status();
  }
  const Duration took = loop_.now() - start;
  if (took > options_.slice) {
    budget_ = std::max(budget_ / 2, kLeastBudget);
  } else if (took < options_.slice / 2) {
    budget_ = std::min(budget_ * 2, kMostBudget);
  }
  if (!*done) {
    return absl::OkStatus();
  }
  if (resting) {
    rest_of_walk_ = false;
  } else if (stage_ == Stage::kFirstSink) {
    stage_ = Stage::kFirstRows;
    rows_at_ = 0;
    rows_end_ = replica_.rows().end();
  } else {
    BeginJudging();
  }
  return absl::OkStatus();
}

void Auditor::StepRows() {
  const MonotonicTime end = loop_.now() + options_.slice;
  const std::size_t key_size = replica_.schema().key_size();
  while (rows_at_ < rows_end_) {
    rows_at_ = replica_.rows().Walk(
        rows_at_, std::min(kRowsPerStep, rows_end_ - rows_at_), [&](const RowMap::Row& row) {
          const std::size_t word = row.number / 64;
          const bool shown = word < shown_.size() && (shown_[word] >> (row.number % 64) & 1U) != 0;
          if (!shown) {
            Note(row.row.first(key_size), Kind::kMissing, row.version);
          }
        });
    if (loop_.now() >= end) {
      break;
    }
  }
  if (rows_at_ < rows_end_) {
    return;
  }
  if (noted_.empty()) {
    Finish(absl::OkStatus());
    return;
  }
  first_look_ = replica_.position();
  give_up_ = now_ + options_.patience;
  stage_ = Stage::kConfirming;
}

bool Auditor::Differs(std::span<const std::byte> a, std::span<const std::byte> b) const {
  return std::any_of(compared_.begin(), compared_.end(), [&](const Range& range) {
    const std::size_t end = std::min({range.end, a.size(), b.size()});
    return range.begin < end &&
           std::memcmp(a.data() + range.begin, b.data() + range.begin, end - range.begin) != 0;
  });
}

void Auditor::Note(std::span<const std::byte> key, Kind kind, std::optional<Version> version) {
  if (replica_.InFlight(key)) {
    return;
  }
  ++differences_;
  if (noted_.size() < kMaxNoted) {
    noted_.try_emplace(ToText(key), Noted{.kind = kind, .version = version});
  }
}

// Whether a noted difference is still there, with the row as it was; sets its kind to what it is
// now.
bool Auditor::Verify(std::span<const std::byte> key, const Noted& noted) {
  RowMap& rows = replica_.rows();
  if (replica_.InFlight(key) || rows.FindVersion(key) != noted.version) {
    return false;
  }
  if (!rows.Find(key).has_value()) {
    return noted.kind == Kind::kExtra && noted.shown;
  }
  return noted.kind == Kind::kMissing ? !noted.shown
                                      : noted.kind == Kind::kDifferent && noted.differs;
}

void Auditor::BeginJudging() {
  repairs_allowed_ = !options_.may_repair || options_.may_repair();
  repairs_ = 0;
  judged_ = noted_.begin();
  stage_ = Stage::kJudging;
}

void Auditor::StepJudging() {
  const MonotonicTime end = loop_.now() + options_.slice;
  while (judged_ != noted_.end()) {
    for (int i = 0; i < kKeysPerStep && judged_ != noted_.end(); ++i, ++judged_) {
      Judge(std::as_bytes(std::span(judged_->first)), judged_->second);
    }
    if (loop_.now() >= end) {
      return;
    }
  }
  if (repairs_ == 0) {
    EndLook();
    return;
  }
  repair_round_ = replica_.round();
  repair_ticket_.reset();
  give_up_ = now_ + options_.patience;
  stage_ = Stage::kRepairing;
  options_.wake();
}

void Auditor::Judge(std::span<const std::byte> key, const Noted& noted) {
  if (!Verify(key, noted)) {
    return;
  }
  std::string_view kind = "different";
  if (noted.kind == Kind::kMissing) {
    kind = "missing";
    ++result_.missing;
  } else if (noted.kind == Kind::kExtra) {
    kind = "extra";
    ++result_.extra;
  } else {
    ++result_.different;
  }
  if (result_.findings.size() < kMaxFindings) {
    std::string hex;
    for (const std::byte byte : key) {
      hex += fmt::format("{:02x}", static_cast<unsigned>(byte));
    }
    AddFinding(fmt::format("{}: {} key {}", kind, replica_.schema().name(), hex));
  }
  if (repairs_allowed_) {
    replica_.Repair(key);
    ++repairs_;
  }
}

}  // namespace mimi::internal
