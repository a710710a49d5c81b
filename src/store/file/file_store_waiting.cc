// The parts of FileStoreCore that wait: for the disc, for the lock, for news.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "src/base/status.h"
#include "src/store/file/file_store_core.h"

namespace mimi::internal {
namespace {

constexpr Duration kRetry = std::chrono::milliseconds(1);

// Files first, then the directory that names them.
int SyncAll(const std::vector<std::shared_ptr<const LogFile>>& files, int directory) {
  for (const std::shared_ptr<const LogFile>& file : files) {
    if (fdatasync(file->fd.get()) != 0) {
      return errno;
    }
  }
  return directory >= 0 && fsync(directory) != 0 ? errno : 0;
}

}  // namespace

// --- durability
// -----------------------------------------------------------------------------------

void FileStoreCore::WhenDurable(std::function<void(absl::Status)> done) {
  if (!synced()) {
    confirmed_ = std::max(confirmed_, follower_.position());
    if (done != nullptr) {
      loop_.Post([alive = alive_, done = std::move(done)] {
        if (*alive) {
          done(absl::OkStatus());
        }
      });
    }
    return;
  }
  wanted_ = std::max(wanted_, follower_.place());
  if (done != nullptr) {
    waiting_.push_back({wanted_, std::move(done)});
  }
  ScheduleSync();
}

void FileStoreCore::ScheduleSync() {
  if (syncing_ || sync_timer_ != 0 || broken()) {
    return;
  }
  // Never inside the call that wants it: all batches of this round share one.
  MonotonicTime at = loop_.now();
  if (options_.fsync == FileStoreOptions::Fsync::kInterval) {
    at = std::max(at, last_sync_ + options_.fsync_interval);
  }
  sync_timer_ = loop_.At(at, [this] {
    sync_timer_ = 0;
    StartSync();
  });
}

void FileStoreCore::StartSync() {
  last_sync_ = loop_.now();
  const LogPlace place = follower_.place();
  const Position head = follower_.position();
  if (durable_ >= place) {
    OnSynced(place, head, 0);
    return;
  }
  // Other processes may have begun files since; each fdatasync covers all that stands in its file.
  std::vector<std::shared_ptr<const LogFile>> files;
  for (std::uint64_t number = std::max(durable_.segment, seen_.first_segment);
       number <= place.segment; ++number) {
    absl::StatusOr<std::shared_ptr<const LogFile>> file =
        LogFile::Open(directory_, FileKind::kFeed, number);
    if (file.ok()) {
      files.push_back(*std::move(file));
    } else if (!absl::IsNotFound(file.status())) {
      Break(file.status());
      return;
    }
  }
  const int directory = durable_.segment != place.segment ? directory_.fd() : -1;
  syncing_ = true;
  worker_.Run([files = std::move(files), directory] { return SyncAll(files, directory); },
              [this, place, head](int error) { OnSynced(place, head, error); });
}

void FileStoreCore::OnSynced(LogPlace place, Position head, int error) {
  syncing_ = false;
  if (error != 0) {
    // The kernel may have dropped the pages that it could not write, so trying again would prove
    // nothing: only a new handle reads what is really there.
    Break(ErrnoError(error, options_.path + ": fdatasync"));
    return;
  }
  durable_ = std::max(durable_, place);
  confirmed_ = std::max(confirmed_, head);
  if (wanted_ > durable_) {
    ScheduleSync();
  }
  AnswerDurable();
}

void FileStoreCore::AnswerDurable() {
  const std::shared_ptr<bool> alive = alive_;
  std::vector<Durable> due;
  for (std::size_t i = 0; i < waiting_.size();) {
    if (waiting_[i].place <= durable_) {
      due.push_back(std::move(waiting_[i]));
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  for (const Durable& answer : due) {
    answer.done(absl::OkStatus());
    if (!*alive) {
      return;
    }
  }
}

// --- operations
// -----------------------------------------------------------------------------------

void FileStoreCore::Enqueue(std::function<bool()> operation) {
  operations_.push_back(std::move(operation));
  if (operations_posted_) {
    return;
  }
  operations_posted_ = true;
  loop_.Post([this, alive = alive_] {
    if (*alive) {
      operations_posted_ = false;
      RunOperations();
    }
  });
}

void FileStoreCore::RunOperations() {
  if (!ready_ && !broken()) {
    return;  // LoadSlice() comes back
  }
  const std::shared_ptr<bool> alive = alive_;
  std::vector<std::function<bool()>> running = std::exchange(operations_, {});
  for (std::size_t i = 0; i < running.size(); ++i) {
    const bool done = running[i]();
    if (!*alive) {
      return;  // its answer has ended the store
    }
    if (!done) {  // the rest waits behind it, in order
      operations_.insert(operations_.begin(),
                         std::make_move_iterator(running.begin() + static_cast<std::ptrdiff_t>(i)),
                         std::make_move_iterator(running.end()));
      break;
    }
  }
  if (!operations_.empty() && retry_timer_ == 0) {
    retry_timer_ = loop_.At(loop_.now() + kRetry, [this] {
      retry_timer_ = 0;
      RunOperations();
    });
  }
}

void FileStoreCore::PostProgress() {
  Enqueue([this] {
    if (on_progress_ && ready_ && !broken()) {
      on_progress_();
    }
    return true;
  });
}

// --- readers
// --------------------------------------------------------------------------------------

std::uint64_t FileStoreCore::AddReader() {
  readers_[++last_reader_];
  return last_reader_;
}

void FileStoreCore::RemoveReader(std::uint64_t reader) {
  readers_.erase(reader);
}

void FileStoreCore::Arm(std::uint64_t reader, LogPlace seen, std::function<void()> wake) {
  readers_[reader] = {seen, std::move(wake)};
  if (seen < seen_.end || broken()) {
    PostWake();
  }
}

void FileStoreCore::PostWake() {
  if (wake_posted_ || readers_.empty()) {
    return;
  }
  wake_posted_ = true;
  loop_.Post([this, alive = alive_] {
    if (*alive) {
      wake_posted_ = false;
      WakeReaders();
    }
  });
}

void FileStoreCore::WakeReaders() {
  const std::shared_ptr<bool> alive = alive_;
  std::vector<std::uint64_t> due;
  for (const auto& [id, reader] : readers_) {
    if (reader.wake != nullptr && (reader.seen < seen_.end || broken())) {
      due.push_back(id);
    }
  }
  for (const std::uint64_t id : due) {
    const auto found = readers_.find(id);  // an earlier one may have ended it
    if (found != readers_.end() && found->second.wake != nullptr) {
      std::exchange(found->second.wake, nullptr)();
      if (!*alive) {
        return;
      }
    }
  }
}

}  // namespace mimi::internal
