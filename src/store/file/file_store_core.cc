#include "src/store/file/file_store_core.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSlice = 500us;
constexpr Duration kRetry = 1ms;
// Tombstones, growth of tables, and a look whether the store is still there.
constexpr Duration kHousekeeping = 200ms;
// Where no descriptor can be watched (a loop on a virtual clock): how often to look for news.
constexpr Duration kLookAround = 1ms;

absl::StatusOr<BootId> ReadBootId() {
  const UniqueFd fd(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 36> text;
  if (!fd.valid() ||
      read(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return Error(absl::StatusCode::kUnavailable, "/proc/sys/kernel/random/boot_id cannot be read");
  }
  BootId boot{};
  std::size_t digits = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit >= 0 && digits < 2 * boot.size()) {
      boot[digits / 2] |= static_cast<std::byte>(digits % 2 == 0 ? digit << 4 : digit);
      ++digits;
    }
  }
  return boot;
}

}  // namespace

FileStoreCore::FileStoreCore(const FileStoreOptions& options, Loop& loop, StoreDirectory directory,
                             ControlFile control, const BootId& boot)
    : options_(options),
      loop_(loop),
      directory_(std::move(directory)),
      control_(std::move(control)),
      boot_(boot),
      pair_({.max_rows = options.max_rows, .tombstone_age = options.tombstone_age}),
      follower_(directory_, pair_),
      // 8 files make the bound of the feed fine enough; smaller ones cost more than they give.
      writer_(directory_, control_,
              {std::clamp<std::uint64_t>(options.feed_bytes / 8, 4096, std::uint64_t{16} << 20),
               options.feed_bytes}),
      worker_(loop),
      alive_(std::make_shared<bool>(true)) {
}

FileStoreCore::~FileStoreCore() {
  *alive_ = false;
  for (const TimerId timer : {retry_timer_, housekeeping_timer_, sync_timer_}) {
    loop_.Cancel(timer);
  }
  if (bell_.valid()) {
    loop_.UnwatchFd(bell_.get());
  }
}

absl::StatusOr<std::unique_ptr<FileStoreCore>> FileStoreCore::Open(const FileStoreOptions& options,
                                                                   Loop& loop) {
  absl::StatusOr<StoreDirectory> directory = StoreDirectory::Open(options.path, options.create);
  if (!directory.ok()) {
    return directory.status();
  }
  absl::StatusOr<ControlFile> control = ControlFile::Open(*directory, options.create);
  if (!control.ok()) {
    return control.status();
  }
  absl::StatusOr<BootId> boot = ReadBootId();
  if (!boot.ok()) {
    return boot.status();
  }
  std::unique_ptr<FileStoreCore> core(
      new FileStoreCore(options, loop, *std::move(directory), *std::move(control), *boot));
  if (absl::Status status = core->Start(); !status.ok()) {
    return status;
  }
  return core;
}

absl::Status FileStoreCore::Start() {
  if (absl::Status status = Watch(); !status.ok()) {
    return status;
  }
  if (absl::Status status = Refresh(); !status.ok()) {
    return status;
  }
  // A small store is loaded before its factory returns, and damage is the factory's error.
  if (LoadSlice()) {
    PostSlice();
  }
  if (broken()) {
    return broken_;
  }
  ArmHousekeeping();
  return absl::OkStatus();
}

absl::Status FileStoreCore::Watch() {
  if (loop_.PollFd() < 0) {
    return absl::OkStatus();  // a virtual clock: housekeeping looks around
  }
  bell_ = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!bell_.valid()) {
    return Error(absl::StatusCode::kResourceExhausted,
                 "no inotify instance for {}: raise fs.inotify.max_user_instances", options_.path);
  }
  if (inotify_add_watch(bell_.get(), control_.path().c_str(),
                        IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_DONT_FOLLOW) < 0) {
    return ErrnoError(errno, "cannot watch " + control_.path());
  }
  return loop_.WatchFd(bell_.get(), kReadable, [this](std::uint32_t) { OnBell(); });
}

void FileStoreCore::OnBell() {
  alignas(inotify_event) std::array<char, 4096> events;
  while (read(bell_.get(), events.data(), events.size()) > 0) {}
  LookAround();
}

// --- following
// ------------------------------------------------------------------------------------

absl::Status FileStoreCore::Refresh() {
  bool both = true;
  absl::StatusOr<ControlState> state = control_.Read(&both);
  if (!state.ok()) {
    return state.status();
  }
  seen_ = *state;
  doubtful_ = !both;
  return absl::OkStatus();
}

bool FileStoreCore::CatchUp() {
  if (!ready_ || broken()) {
    return false;
  }
  if (absl::Status status = Refresh(); !status.ok()) {
    Break(status);
    return false;
  }
  const absl::StatusOr<bool> there = FollowTo(seen_, loop_.now() + kSlice);
  if (!there.ok()) {
    Break(there.status());
    return false;
  }
  if (!*there) {
    PostSlice();
  }
  return *there;
}

void FileStoreCore::PostSlice() {
  if (slice_posted_ || broken()) {
    return;
  }
  slice_posted_ = true;
  // Where a lock has to be waited for, there is no hurry.
  const Duration pause = !ready_ && !recovering_ && follower_.place().segment == 0 ? kRetry : 0ns;
  const auto slice = [this, alive = alive_] {
    if (*alive) {
      slice_posted_ = false;
      if (LoadSlice()) {
        PostSlice();
      } else {
        LookAround();
      }
    }
  };
  if (pause == 0ns) {
    loop_.Post(slice);
  } else {
    loop_.At(loop_.now() + pause, slice);
  }
}

void FileStoreCore::LookAround() {
  if (!broken() && !control_.linked()) {
    Break(Error(absl::StatusCode::kUnavailable, "{}: was removed while it was in use",
                control_.path()));
  }
  CatchUp();
  const std::shared_ptr<bool> alive = alive_;
  if (on_progress_ && ready_ && !broken()) {
    on_progress_();
  }
  RunOperations();
  if (*alive) {
    WakeReaders();
  }
}

void FileStoreCore::ArmHousekeeping() {
  const Duration pause = bell_.valid() ? kHousekeeping : kLookAround;
  housekeeping_timer_ = loop_.At(loop_.now() + pause, [this] {
    ArmHousekeeping();
    if (ready_) {
      pair_.ExpireTombstones(loop_.now(), seen_.trimmed);
      pair_.Work();
    }
    LookAround();
  });
}

void FileStoreCore::Break(absl::Status why) {
  if (broken()) {
    return;
  }
  broken_ = std::move(why);
  for (Durable& waiting : std::exchange(waiting_, {})) {
    loop_.Post([alive = alive_, done = std::move(waiting.done), status = broken_] {
      if (*alive) {
        done(status);
      }
    });
  }
  Enqueue([] { return true; });  // those that wait are answered, readers woken
  PostWake();
}

// --- writing
// ----------------------------------------------------------------------------------------

FileStoreCore::Exclusive::Exclusive(FileStoreCore& core) : lock_(core.control_) {
  if (!lock_.held() || !core.CatchUp()) {
    return;
  }
  if (core.seen_.incarnation != core.pair_.boot().incarnation) {
    core.Break(Error(absl::StatusCode::kUnavailable, "{}: was replaced by another store",
                     core.control_.path()));
    return;
  }
  state_ = core.seen_;
}

absl::Status FileStoreCore::Append(Exclusive& exclusive, FrameType type,
                                   std::span<const std::byte> payload, Position advance) {
  ControlState& state = exclusive.state();
  state.durable = std::max(state.durable, durable_);
  if (absl::Status status = writer_.Append(&state, type, payload, advance); !status.ok()) {
    if (absl::IsDataLoss(status) || !control_.linked()) {
      Break(status);
    } else {
      trouble_ = status;
    }
    return status;
  }
  trouble_ = absl::OkStatus();
  seen_ = state;
  follower_.SkipTo(writer_.tail(), state.end.offset, state.head);
  PostWake();
  return absl::OkStatus();
}

absl::Status FileStoreCore::AppendSmall(Exclusive& exclusive, FrameType type,
                                        std::string_view payload) {
  if (absl::Status status = Append(exclusive, type, AsBytes(payload), 0); !status.ok()) {
    return status;
  }
  Frame frame;
  frame.header.type = type;
  frame.payload = AsBytes(payload);
  return pair_.Replay(frame, loop_.now(), seen_.head);
}

std::uint64_t FileStoreCore::FeedBytes() const {
  return writer_.FeedBytes(seen_);
}

absl::Status FileStoreCore::RotateFeed(Exclusive& exclusive) {
  ControlState next = exclusive.state();
  if (absl::Status status = writer_.Rotate(&next); !status.ok()) {
    return status;
  }
  return Publish(exclusive, next);
}

absl::Status FileStoreCore::Publish(Exclusive& exclusive, const ControlState& state) {
  ControlState next = state;
  if (absl::Status status = control_.Publish(&next); !status.ok()) {
    return status;
  }
  exclusive.state() = next;
  seen_ = next;
  if (next.end != follower_.place()) {
    follower_.SkipTo(writer_.tail(), next.end.offset, next.head);
  }
  return absl::OkStatus();
}

}  // namespace mimi::internal
