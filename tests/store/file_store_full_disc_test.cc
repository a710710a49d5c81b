// A file store on a disc that is full. Needs a mount of its own, so: root.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/store/file_store_under_test.h"

namespace mimi {
namespace {

using absl::StatusCode;
using contract::Word;

// A small file system that only this process sees. False: it may not mount.
bool MountSmall(const std::string& path) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("mimi-test", path.c_str(), "tmpfs", 0, "size=512k,mode=0700") == 0;
}

TEST_CASE(
    "file store: a full disc refuses by name, applies nothing by half, and goes on when there is "
    "space") {
  TemporaryDirectory directory;
  if (!MountSmall(directory.path())) {
    std::printf("skipped: cannot mount a tmpfs here: %s\n", std::strerror(errno));
    return;
  }
  WriteFile(directory.path() / "ballast", std::string(200 * 1024, 'x'));
  const FileStoreOptions options = {.path = directory.Join("store")};
  const StateSchema schema = contract::WordSchema(1);
  std::map<Word, Word> rows;
  {
    StoreBench bench(options);
    contract::Node node(bench, schema, "node");
    contract::Writer writer(schema, node.origin, node.claim.term);
    absl::StatusOr<Position> position = 0;
    std::vector<std::byte> refused;
    Word i = 0;
    while (position.ok()) {
      REQUIRE(i < 100'000);
      auto with = rows;
      for (int n = 0; n < 100; ++n, ++i) {
        writer.Put({i % 300, i});
        with[i % 300] = i;
      }
      const BatchView batch = writer.Seal();
      refused.assign(batch.bytes().begin(), batch.bytes().end());
      position = node.store->Apply(batch);
      if (position.ok()) {
        rows = with;
      }
    }
    CHECK(position.status().code() == StatusCode::kUnavailable);
    CHECK(std::string(position.status().message()).find("the disc is full") != std::string::npos);
    const Position head = node.store->state().head;
    CHECK(head % 100 == 0);
    CHECK_FALSE(node.store->state().available);
    CHECK(node.store->state().reason.find("the disc is full") != std::string::npos);
    CHECK(RowsOf(bench, *node.store, schema) == rows);
    CHECK(node.store->Apply(*BatchView::Parse(refused)).status().code() ==
          StatusCode::kUnavailable);
    {  // who opens it now sees what was stored
      StoreBench other(options);
      const auto reader = other.TryHandle();
      REQUIRE_MESSAGE(reader.ok(), reader.status().ToString());
      CHECK(RowsOf(other, **reader, schema) == rows);
    }
    std::filesystem::remove(directory.path() / "ballast");
    REQUIRE(bench.Apply(*node.store, *BatchView::Parse(refused)).ok());
    CHECK(node.store->state().available);
    CHECK(node.store->state().head == head + 100);
    for (Word back = 100; back > 0; --back) {
      rows[(i - back) % 300] = i - back;
    }
    CHECK(RowsOf(bench, *node.store, schema) == rows);
  }
  StoreBench again(options);
  const auto store = again.Handle();
  CHECK(RowsOf(again, *store, schema) == rows);

  umount2(directory.path().c_str(), MNT_DETACH);
}

TEST_CASE("file store: a read-only file system is refused by name, with what is on it untouched") {
  TemporaryDirectory directory;
  if (!MountSmall(directory.path())) {
    std::printf("skipped: cannot mount a tmpfs here: %s\n", std::strerror(errno));
    return;
  }
  const auto open = [](const std::string& path) {
    const auto loop = *NewEpollLoop();
    return NewFileStore({.path = path}, *loop).status();
  };
  REQUIRE(open(directory.Join("store")).ok());
  const auto mounted = [&](unsigned long flags) {
    return mount("none", directory.path().c_str(), nullptr, MS_REMOUNT | flags, nullptr) == 0;
  };
  REQUIRE(mounted(MS_RDONLY));
  for (const char* name : {"store", "new"}) {
    const absl::Status status = open(directory.Join(name));
    CAPTURE(std::string(status.message()));
    CHECK(status.code() == StatusCode::kFailedPrecondition);
    CHECK(std::string(status.message()).find("Read-only file system") != std::string::npos);
  }
  REQUIRE(mounted(0));
  CHECK(open(directory.Join("store")).ok());
}

}  // namespace
}  // namespace mimi
