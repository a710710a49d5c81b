#ifndef MIMI_TESTS_STORE_FILE_STORE_UNDER_TEST_H_
#define MIMI_TESTS_STORE_FILE_STORE_UNDER_TEST_H_

// File stores on a real loop, for tests that look at the files or at other processes.

#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "mimi/builtin/file_store.h"
#include "mimi/contract/store_contract.h"
#include "mimi/loop.h"
#include "mimi/testing/virtual_loop.h"

#include "tests/store/temporary_directory.h"

namespace mimi {

class FileStoreUnderTest final : public contract::StoreUnderTest {
 public:
  FileStoreUnderTest(FileStoreOptions options, bool virtual_time) : options_(std::move(options)) {
    if (virtual_time) {
      loop_ = std::make_unique<VirtualLoop>(clock_);
    } else {
      loop_ = *NewEpollLoop();
    }
  }
  Loop& loop() override { return *loop_; }
  std::unique_ptr<StateStore> NewHandle() override { return *TryHandle(); }
  bool Advance(Duration by) override {
    clock_.Advance(by);
    return true;
  }
  absl::StatusOr<std::unique_ptr<StateStore>> TryHandle() { return NewFileStore(options_, *loop_); }

 private:
  FileStoreOptions options_;
  VirtualClock clock_;
  std::unique_ptr<Loop> loop_;
};

// The contract's tools on a directory that stays.
struct StoreBench : contract::Bench {
  enum class Time : std::uint8_t {
    kReal,
    // No descriptors, and no slice ends: whatever is to be loaded is loaded in the factory. Closing
    // an inotify descriptor takes the kernel some 20 ms, so tests that open thousands of stores do
    // without.
    kVirtual,
  };
  explicit StoreBench(const FileStoreOptions& options, Time time = Time::kReal)
      : Bench([&options, time](const contract::StoreLimits&) {
          return std::make_unique<FileStoreUnderTest>(options, time == Time::kVirtual);
        }) {}
  absl::StatusOr<std::unique_ptr<StateStore>> TryHandle() {
    return static_cast<FileStoreUnderTest&>(*under_test).TryHandle();
  }
  // Waits for what a large store goes on doing after its factory: OK, or why it cannot be used.
  absl::Status Loaded(StateStore& store) {
    REQUIRE(Until([&store] {
      const StoreState state = store.state();
      return state.available || state.reason != "is being loaded";
    }));
    const StoreState state = store.state();
    return state.available ? absl::OkStatus() : absl::DataLossError(state.reason);
  }
};

// The rows as a reader sees them: id and first value.
inline std::map<contract::Word, contract::Word> RowsOf(contract::Bench& bench, StateStore& store,
                                                       const StateSchema& schema) {
  std::map<contract::Word, contract::Word> rows;
  auto snapshot = store.Snapshot(schema.table(), [] {});
  REQUIRE(snapshot.ok());
  REQUIRE(bench.Until([&] {
    const auto batch = (*snapshot)->Next();
    REQUIRE(batch.ok());
    if (batch->has_value()) {
      for (const RecordView record : **batch) {
        if (record.op == Op::kPut) {
          const auto words = contract::ToWords(record.row);
          rows[words[0]] = words[1];
        } else {
          rows.erase(contract::ToWords(record.key)[0]);
        }
      }
    }
    return (*snapshot)->done();
  }));
  return rows;
}

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace mimi

#endif  // MIMI_TESTS_STORE_FILE_STORE_UNDER_TEST_H_
