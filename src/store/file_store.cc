// The face of the file store: StateStore in terms of FileStoreCore.
#include "mimi/builtin/file_store.h"

#include <chrono>
#include <utility>

#include "src/base/status.h"
#include "src/store/file/compaction.h"
#include "src/store/file/file_cursor.h"
#include "src/store/file/file_lease.h"
#include "src/store/file/file_store_core.h"
#include "src/store/find_row.h"

namespace mimi {
namespace {

using internal::Compaction;
using internal::FileStoreCore;
using internal::FrameType;

class FileStore final : public StateStore {
 public:
  explicit FileStore(std::unique_ptr<FileStoreCore> core)
      : core_(std::move(core)), compaction_(*core_) {
    core_->set_on_progress([this] { compaction_.Consider(); });
  }

  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  Position confirmed() const override { return core_->confirmed(); }

  void Open(const StateSchema& schema, StatusCallback done) override;
  void Claim(const ClaimRequest& request, ClaimCallback done) override;
  absl::StatusOr<std::unique_ptr<Cursor>> Watch(const WatchFrom& from,
                                                std::function<void()> wake) override;
  absl::StatusOr<std::unique_ptr<Cursor>> Snapshot(TableId table,
                                                   std::function<void()> wake) override;
  void Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) override;
  std::unique_ptr<Lease> NewLease(std::string_view name, Origin owner) override {
    return std::make_unique<internal::FileLease>(*core_, name, owner);
  }
  StoreState state() const override;
  std::optional<StateSchema> schema(TableId table) const override;

 private:
  absl::Status NotNow() const;
  // nullopt: not now. OK: appended, and to be answered when durable.
  std::optional<absl::Status> TryOpen(const StateSchema& schema);
  std::optional<absl::StatusOr<Claimed>> TryClaim(const ClaimRequest& request);

  std::unique_ptr<FileStoreCore> core_;
  Compaction compaction_;  // ends before core_
};

// Why the exclusive lock was not to be had.
absl::Status FileStore::NotNow() const {
  if (core_->broken()) {
    return Error(absl::StatusCode::kUnavailable, "{}", Message(core_->status()));
  }
  return Error(absl::StatusCode::kResourceExhausted, "{}: {}", core_->options().path,
               core_->ready() ? "another process is writing" : "is being loaded");
}

absl::StatusOr<Position> FileStore::Apply(const BatchView& batch) {
  if (core_->broken() || !core_->ready()) {
    return NotNow();
  }
  FileStoreCore::Exclusive exclusive(*core_);
  if (!exclusive.held()) {
    return NotNow();
  }
  internal::PairState& pair = core_->pair();
  const absl::StatusOr<bool> is_new = pair.Admit(batch);
  if (!is_new.ok()) {
    return is_new.status();
  }
  if (*is_new) {
    if (compaction_.Behind(exclusive.state())) {
      core_->PostProgress();
      return Error(absl::StatusCode::kResourceExhausted, "{}: compaction is behind",
                   core_->options().path);
    }
    const Position advance = batch.empty() ? 1 : batch.size();
    if (absl::Status status = core_->Append(exclusive, FrameType::kBatch, batch.bytes(), advance);
        !status.ok()) {
      return status;
    }
    pair.ApplyBatch(batch, core_->loop().now(), exclusive.state().head);
  }
  core_->WhenDurable(nullptr);
  return exclusive.state().head;
}

std::optional<absl::Status> FileStore::TryOpen(const StateSchema& schema) {
  if (core_->broken()) {
    return core_->status();
  }
  FileStoreCore::Exclusive exclusive(*core_);
  if (!exclusive.held()) {
    return std::nullopt;
  }
  const absl::StatusOr<std::optional<StateSchema>> missing = core_->pair().ProposeSchema(schema);
  if (!missing.ok()) {
    return missing.status();
  }
  if (!missing->has_value()) {
    return absl::OkStatus();
  }
  return core_->AppendSmall(exclusive, FrameType::kSchema, (*missing)->Serialize());
}

void FileStore::Open(const StateSchema& schema, StatusCallback done) {
  core_->Enqueue([this, schema, done = std::move(done)] {
    const std::optional<absl::Status> status = TryOpen(schema);
    if (!status.has_value()) {
      return false;
    }
    if (status->ok()) {
      core_->WhenDurable(done);
    } else {
      done(*status);
    }
    return true;
  });
}

std::optional<absl::StatusOr<Claimed>> FileStore::TryClaim(const ClaimRequest& request) {
  if (core_->broken()) {
    return core_->status();
  }
  FileStoreCore::Exclusive exclusive(*core_);
  if (!exclusive.held()) {
    return std::nullopt;
  }
  const absl::StatusOr<Fence::Claim> claim = core_->pair().ProposeClaim(request);
  if (!claim.ok()) {
    return claim.status();
  }
  if (absl::Status status =
          core_->AppendSmall(exclusive, FrameType::kClaim, internal::EncodeClaim(*claim));
      !status.ok()) {
    return status;
  }
  return Claimed{claim->term, exclusive.state().head};
}

void FileStore::Claim(const ClaimRequest& request, ClaimCallback done) {
  core_->Enqueue([this, request, done = std::move(done)] {
    const auto claimed = TryClaim(request);
    if (!claimed.has_value()) {
      return false;
    }
    if (!claimed->ok()) {
      done(*claimed);
      return true;
    }
    core_->WhenDurable([done, claim = **claimed](const absl::Status& status) {
      if (status.ok()) {
        done(claim);
      } else {
        done(status);
      }
    });
    return true;
  });
}

absl::StatusOr<std::unique_ptr<Cursor>> FileStore::Watch(const WatchFrom& from,
                                                         std::function<void()> wake) {
  if (core_->broken()) {
    return core_->status();
  }
  return std::make_unique<internal::WatchCursor>(*core_, from, std::move(wake));
}

absl::StatusOr<std::unique_ptr<Cursor>> FileStore::Snapshot(TableId table,
                                                            std::function<void()> wake) {
  if (core_->broken()) {
    return core_->status();
  }
  return std::make_unique<internal::SnapshotCursor>(*core_, table, std::move(wake));
}

void FileStore::Lookup(TableId table, std::span<const std::byte> key, LookupCallback done) {
  core_->Enqueue(
      [this, table, key = std::vector<std::byte>(key.begin(), key.end()), done = std::move(done)] {
        if (core_->broken()) {
          done(core_->status());
          return true;
        }
        if (!core_->CatchUp()) {
          return core_->broken() ? (done(core_->status()), true) : false;
        }
        done(FindRow(core_->pair().FindTable(table), table, key));
        return true;
      });
}

StoreState FileStore::state() const {
  core_->CatchUp();
  StoreState state;
  state.available = core_->ready() && core_->status().ok();
  if (!core_->status().ok()) {
    state.reason = Message(core_->status());
  } else if (!core_->ready()) {
    state.reason = "is being loaded";
  }
  const internal::ControlState& seen = core_->seen();
  state.incarnation = seen.incarnation;
  state.head = core_->position();  // the rows below are those of this position
  state.trimmed = seen.trimmed;
  state.feed_bytes = core_->FeedBytes();
  core_->pair().Report(&state);
  return state;
}

std::optional<StateSchema> FileStore::schema(TableId table) const {
  const RowMap* const rows = core_->pair().FindTable(table);
  if (rows == nullptr) {
    return std::nullopt;
  }
  return rows->schema();
}

absl::Status CheckOptions(const FileStoreOptions& options) {
  if (options.max_rows == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "FileStoreOptions.max_rows is 0");
  }
  if (options.fsync == FileStoreOptions::Fsync::kInterval &&
      options.fsync_interval <= Duration::zero()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "FileStoreOptions.fsync_interval is {} ns, it must be more than 0",
                 options.fsync_interval.count());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> NewFileStore(const FileStoreOptions& options,
                                                         Loop& loop) {
  if (absl::Status status = CheckOptions(options); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::unique_ptr<FileStoreCore>> core = FileStoreCore::Open(options, loop);
  if (!core.ok()) {
    return core.status();
  }
  return std::make_unique<FileStore>(*std::move(core));
}

}  // namespace mimi
