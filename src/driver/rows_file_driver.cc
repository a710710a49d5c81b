#include "mimi/builtin/rows_file_driver.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "mimi/json.h"

#include "src/base/status.h"

namespace mimi {
namespace {

using Bytes = std::vector<std::byte>;

// By hand: g++ 12 takes std::less of byte vectors for a memcmp of more than the address space.
struct BytesLess {
  bool operator()(const Bytes& a, const Bytes& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](std::byte x, std::byte y) { return x < y; });
  }
};
using Rows = std::map<Bytes, Bytes, BytesLess>;  // by key

class FileDriver final : public RowsFileDriver {
 public:
  FileDriver(RowsFileDriverOptions options, Loop& loop)
      : options_(std::move(options)), loop_(loop), builder_(options_.schema, Origin{}) {}
  ~FileDriver() override { *alive_ = false; }

  const StateSchema& schema() const override { return options_.schema; }

  absl::Status Start(StateSink& sink) override {
    absl::StatusOr<Rows> rows = ReadRows();
    if (!rows.ok()) {
      return rows.status();
    }
    rows_ = *std::move(rows);
    sink_ = &sink;
    return absl::OkStatus();
  }

  absl::Status Resync() override {
    if (!walk_at_.has_value()) {
      BeginWalk();
    }
    Walk();
    return absl::OkStatus();
  }

  void Stop() override {
    sink_ = nullptr;
    walk_at_.reset();
  }

  absl::Status Reload() override;

  Coverage coverage() const override {
    return {.limits = "rows are what the file said when it was last read"};
  }
  DriverState state() const override {
    return {.healthy = problem_.empty(),
            .reason = problem_,
            .rows = rows_.size(),
            .events = events_,
            .refused = refused_,
            .walking = walk_at_.has_value()};
  }

 private:
  absl::StatusOr<Rows> ReadRows() const;
  void BeginWalk();
  void Walk();
  void WalkSoon();
  bool Offer(bool last);

  RowsFileDriverOptions options_;
  Loop& loop_;
  StateSink* sink_ = nullptr;
  Rows rows_;
  BatchBuilder builder_;
  std::optional<Bytes> walk_at_;  ///< the walk has come to this key
  bool begun_ = false;            ///< its begin was taken
  bool posted_ = false;
  std::string problem_;
  std::uint64_t events_ = 0;
  std::uint64_t refused_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

absl::StatusOr<Rows> FileDriver::ReadRows() const {
  std::ifstream file(options_.path, std::ios::binary);
  if (!file) {
    return Error(absl::StatusCode::kUnavailable, "{}: {}", options_.path, std::strerror(errno));
  }
  Rows rows;
  std::string line;
  std::size_t number = 0;
  std::size_t size = 0;
  while (std::getline(file, line)) {
    ++number;
    size += line.size() + 1;
    if (size > options_.max_size) {
      return Error(absl::StatusCode::kInvalidArgument, "{}: longer than {} bytes", options_.path,
                   options_.max_size);
    }
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') {
      continue;
    }
    absl::StatusOr<Bytes> row = RowFromJson(options_.schema, line);
    if (!row.ok()) {
      return Error(absl::StatusCode::kInvalidArgument, "{}:{}: {}", options_.path, number,
                   Message(row.status()));
    }
    const auto key_end = row->begin() + static_cast<std::ptrdiff_t>(options_.schema.key_size());
    rows[Bytes(row->begin(), key_end)] = *std::move(row);
  }
  return rows;
}

// Offers what is built, as the walk's end if it is that. False: no room; Resync() comes again.
bool FileDriver::Offer(bool last) {
  const bool walking = walk_at_.has_value();
  builder_.set_flags(static_cast<std::uint16_t>((walking && !begun_ ? kBatchResyncBegin : 0) |
                                                (last ? kBatchResyncEnd : 0)));
  const absl::Status taken = sink_->Apply(builder_.Draft()).status();
  if (taken.code() == absl::StatusCode::kResourceExhausted) {
    return false;
  }
  begun_ = walking;
  builder_.Clear();
  return true;
}

void FileDriver::BeginWalk() {
  walk_at_ = Bytes();  // before every key
  begun_ = false;
  builder_.Clear();
}

void FileDriver::Walk() {
  if (sink_ == nullptr || !walk_at_.has_value()) {
    return;
  }
  const MonotonicTime until = loop_.now() + std::chrono::microseconds(500);
  for (auto row = rows_.upper_bound(*walk_at_); row != rows_.end(); ++row) {
    if (builder_.full()) {
      if (!Offer(false)) {
        return;
      }
      if (loop_.now() > until) {
        WalkSoon();
        return;
      }
    }
    builder_.Put(row->second);
    walk_at_ = row->first;
  }
  if (Offer(true)) {
    walk_at_.reset();
  }
}

void FileDriver::WalkSoon() {
  if (std::exchange(posted_, true)) {
    return;
  }
  loop_.Post([this, alive = alive_] {
    if (*alive) {
      posted_ = false;
      Walk();
    }
  });
}

absl::Status FileDriver::Reload() {
  absl::StatusOr<Rows> read = ReadRows();
  if (!read.ok()) {
    problem_ = Message(read.status());
    ++refused_;
    return read.status();
  }
  problem_.clear();
  Rows before = std::exchange(rows_, *std::move(read));
  if (sink_ == nullptr) {
    return absl::OkStatus();
  }
  if (walk_at_.has_value()) {  // it has told rows of before: from the beginning
    BeginWalk();
    WalkSoon();
    return absl::OkStatus();
  }
  const auto add = [this](const auto& what) {
    ++events_;
    if (!what()) {
      Offer(false);
      what();
    }
  };
  for (const auto& [key, row] : before) {
    if (!rows_.contains(key)) {
      add([this, &gone = key] { return builder_.Erase(gone); });
    }
  }
  for (const auto& [key, row] : rows_) {
    const auto old = before.find(key);
    if (old == before.end() || old->second != row) {
      add([this, &changed = row] { return builder_.Put(changed); });
    }
  }
  if (!builder_.empty()) {
    Offer(false);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowsFileDriver>> NewRowsFileDriver(RowsFileDriverOptions options,
                                                                  Loop& loop) {
  if (options.path.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "RowsFileDriverOptions::path: required");
  }
  return std::make_unique<FileDriver>(std::move(options), loop);
}

}  // namespace mimi
