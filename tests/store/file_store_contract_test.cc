// The contract of stores, on a virtual clock (where time can be moved) and on a real loop with each
// way of fsync (where threads and descriptors are at work).
#include <memory>

#include "mimi/builtin/file_store.h"
#include "mimi/contract/store_contract.h"
#include "mimi/loop.h"
#include "mimi/testing/virtual_loop.h"

#include "tests/store/temporary_directory.h"

namespace mimi {
namespace {

FileStoreOptions Options(const TemporaryDirectory& directory, const contract::StoreLimits& limits) {
  return {.path = directory.Join("store"),
          .max_rows = limits.max_rows,
          .feed_bytes = limits.feed_bytes,
          .tombstone_age = limits.tombstone_age};
}

class OnVirtualClock final : public contract::StoreUnderTest {
 public:
  explicit OnVirtualClock(const contract::StoreLimits& limits)
      : options_(Options(directory_, limits)) {}
  Loop& loop() override { return loop_; }
  std::unique_ptr<StateStore> NewHandle() override { return *NewFileStore(options_, loop_); }
  bool Advance(Duration by) override {
    clock_.Advance(by);
    loop_.RunUntilIdle();
    return true;
  }
  bool Restart() override { return true; }  // with the last handle all of it has ended

 private:
  TemporaryDirectory directory_;
  FileStoreOptions options_;
  VirtualClock clock_;
  VirtualLoop loop_{clock_};
};

class OnEpoll final : public contract::StoreUnderTest {
 public:
  OnEpoll(const contract::StoreLimits& limits, FileStoreOptions::Fsync fsync)
      : options_(Options(directory_, limits)), loop_(*NewEpollLoop()) {
    options_.fsync = fsync;
    options_.fsync_interval = std::chrono::milliseconds(1);
  }
  Loop& loop() override { return *loop_; }
  std::unique_ptr<StateStore> NewHandle() override { return *NewFileStore(options_, *loop_); }
  bool Restart() override { return true; }

 private:
  TemporaryDirectory directory_;
  FileStoreOptions options_;
  std::unique_ptr<Loop> loop_;
};

contract::StoreFactory MakeVirtual() {
  return [](const contract::StoreLimits& limits) {
    return std::make_unique<OnVirtualClock>(limits);
  };
}

contract::StoreFactory MakeReal(FileStoreOptions::Fsync fsync) {
  return [fsync](const contract::StoreLimits& limits) {
    return std::make_unique<OnEpoll>(limits, fsync);
  };
}

}  // namespace

MIMI_STORE_CONTRACT("file store, virtual clock", MakeVirtual())
MIMI_STORE_CONTRACT("file store, no fsync", MakeReal(FileStoreOptions::Fsync::kNever))
MIMI_STORE_CONTRACT("file store, fsync by interval", MakeReal(FileStoreOptions::Fsync::kInterval))
MIMI_STORE_CONTRACT("file store, fsync by batch", MakeReal(FileStoreOptions::Fsync::kEveryBatch))

}  // namespace mimi
