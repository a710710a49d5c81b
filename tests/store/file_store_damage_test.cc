// What is left of a file store when writes are torn, bytes flip, or somebody else has been there:
// all that was acknowledged, or a refusal that names the file. Nothing in between.
#include <sys/stat.h>

#include <cstring>
#include <vector>

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/store/file/layout.h"
#include "tests/store/file_store_under_test.h"

namespace mimi {
namespace {

using absl::StatusCode;
using contract::Word;

constexpr auto kVirtual = StoreBench::Time::kVirtual;
constexpr const char* kFeed = "feed-0000000000000001";

// A store of some batches, and its files before and after the last one.
struct SmallStore {
  SmallStore() {
    std::filesystem::create_directory(directory.Join("copy"));
    std::filesystem::permissions(directory.Join("copy"), std::filesystem::perms::owner_all);
    StoreBench bench({.path = directory.Join("store")});
    contract::Node node(bench, schema, "node");
    contract::Writer writer(schema, node.origin, node.claim.term);
    for (Word i = 1; i <= 6; ++i) {
      control_before = ReadFile(directory.Join("store/control"));
      feed_before = ReadFile(directory.Join(std::string("store/") + kFeed));
      rows_at[node.store->state().head] = rows;
      writer.Put({i, 10 * i}).Put({1, i});
      rows[i] = 10 * i;
      rows[1] = i;
      if (i == 4) {
        writer.Erase(2);
        rows.erase(2);
      }
      REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
    }
    head = node.store->state().head;
    rows_at[head] = rows;
    control = ReadFile(directory.Join("store/control"));
    feed = ReadFile(directory.Join(std::string("store/") + kFeed));
    REQUIRE(feed.size() > feed_before.size());
  }

  // A store of these bytes.
  FileStoreOptions Copy(const std::string& control_bytes, const std::string& feed_bytes) const {
    WriteFile(directory.path() / "copy" / "control", control_bytes);
    WriteFile(directory.path() / "copy" / kFeed, feed_bytes);
    return {.path = directory.Join("copy")};
  }

  TemporaryDirectory directory;
  StateSchema schema = contract::WordSchema(1);
  std::map<Word, Word> rows;
  std::map<Position, std::map<Word, Word>> rows_at;
  Position head = 0;
  std::string control_before;
  std::string feed_before;
  std::string control;
  std::string feed;
};

// The control file as another life of the machine left it.
std::string OfAnotherBoot(std::string control) {
  for (const std::size_t offset : internal::kSlotOffsets) {
    auto state = internal::DecodeSlot(AsBytes(control).subspan(offset));
    REQUIRE(state.has_value());
    state->boot[0] ^= std::byte{1};
    const auto slot = internal::EncodeSlot(*state);
    std::memcpy(control.data() + offset, slot.data(), slot.size());
  }
  return control;
}

TEST_CASE("file store: an append that a crash tore at any byte has not happened") {
  const SmallStore small;
  const Position before = small.rows_at.rbegin()->first - 2;
  for (std::size_t size = small.feed_before.size(); size <= small.feed.size(); ++size) {
    CAPTURE(size);
    StoreBench bench(small.Copy(small.control_before, small.feed.substr(0, size)), kVirtual);
    auto store = bench.TryHandle();
    REQUIRE_MESSAGE(store.ok(), store.status().ToString());
    CHECK((*store)->state().head == before);
    CHECK(RowsOf(bench, **store, small.schema) == small.rows_at.at(before));
    // What the dead writer left is overwritten, and who comes next sees only what is whole.
    const auto claimed = bench.Claim(**store, {.origin = 5});
    REQUIRE(claimed.ok());
    contract::Writer writer(small.schema, 5, claimed->term);
    REQUIRE(bench.Apply(**store, writer.Put({77, 7}).Seal()).ok());
    auto later = bench.TryHandle();
    REQUIRE_MESSAGE(later.ok(), later.status().ToString());
    CHECK(RowsOf(bench, **later, small.schema).at(77) == 7);
    CHECK((*later)->state().head == before + 1);
  }
}

TEST_CASE("file store: a feed that lost acknowledged bytes is refused, file and offset named") {
  const SmallStore small;
  for (std::size_t size = 0; size < small.feed.size(); ++size) {
    CAPTURE(size);
    StoreBench bench(small.Copy(small.control, small.feed.substr(0, size)), kVirtual);
    const auto store = bench.TryHandle();
    REQUIRE(store.status().code() == StatusCode::kDataLoss);
    CHECK(std::string(store.status().message()).find(kFeed) != std::string::npos);
  }
}

TEST_CASE(
    "file store: after a power failure a prefix of whole batches is there, and a new incarnation") {
  const SmallStore small;
  const std::string control = OfAnotherBoot(small.control);
  std::size_t opened = 0;
  Position last = 0;
  for (std::size_t size = 0; size <= small.feed.size(); ++size) {
    CAPTURE(size);
    StoreBench bench(small.Copy(control, small.feed.substr(0, size)), kVirtual);
    auto store = bench.TryHandle();
    if (size < internal::kFileHeaderSize) {
      CHECK(store.status().code() == StatusCode::kDataLoss);
      continue;
    }
    REQUIRE_MESSAGE(store.ok(), store.status().ToString());
    ++opened;
    const StoreState state = (*store)->state();
    CHECK(state.head >= last);
    last = state.head;
    REQUIRE(small.rows_at.count(state.head) == 1);
    CHECK(RowsOf(bench, **store, small.schema) == small.rows_at.at(state.head));
    auto watch = (*store)->Watch(
        {internal::DecodeSlot(AsBytes(control).subspan(1024))->incarnation, 0}, [] {});
    REQUIRE(watch.ok());
    CHECK((*watch)->Next().status().code() == StatusCode::kDataLoss);
  }
  CHECK(last == small.head);
  CHECK(opened == small.feed.size() + 1 - internal::kFileHeaderSize);
}

TEST_CASE("file store: what the disc had confirmed is never cut off as torn") {
  const SmallStore small;
  std::string control = OfAnotherBoot(small.control);
  for (const std::size_t offset : internal::kSlotOffsets) {
    auto state = internal::DecodeSlot(AsBytes(control).subspan(offset));
    state->durable = state->end;
    const auto slot = internal::EncodeSlot(*state);
    std::memcpy(control.data() + offset, slot.data(), slot.size());
  }
  StoreBench cut(small.Copy(control, small.feed_before.substr(0, small.feed_before.size() - 1)),
                 kVirtual);
  CHECK(cut.TryHandle().status().code() == StatusCode::kDataLoss);
  StoreBench whole(small.Copy(control, small.feed), kVirtual);
  CHECK(whole.TryHandle().ok());
}

TEST_CASE("file store: a flipped bit anywhere is refused by name, or costs nothing") {
  const SmallStore small;
  std::size_t refused = 0;
  for (std::size_t at = 0; at < small.feed.size(); ++at) {
    CAPTURE(at);
    std::string feed = small.feed;
    feed[at] = static_cast<char>(feed[at] ^ (1 << (at % 8)));
    StoreBench bench(small.Copy(small.control, feed), kVirtual);
    const auto store = bench.TryHandle();
    if (store.ok()) {  // bytes of a header that nobody reads
      CHECK(RowsOf(bench, **store, small.schema) == small.rows);
    } else {
      ++refused;
      CHECK(std::string(store.status().message()).find(kFeed) != std::string::npos);
    }
  }
  CHECK(refused == small.feed.size());
  for (std::size_t at = 0; at < small.control.size(); ++at) {
    CAPTURE(at);
    std::string control = small.control;
    control[at] = static_cast<char>(control[at] ^ (1 << (at % 8)));
    StoreBench bench(small.Copy(control, small.feed), kVirtual);
    auto store = bench.TryHandle();
    if (store.ok()) {
      CHECK((*store)->state().head == small.head);
      CHECK(RowsOf(bench, **store, small.schema) == small.rows);
    } else {
      CHECK(std::string(store.status().message()).find("control") != std::string::npos);
    }
  }
}

TEST_CASE("file store: a store without its control file, or of another format, is refused") {
  const SmallStore small;
  StoreBench missing(small.Copy(small.control, small.feed), kVirtual);
  std::filesystem::remove(small.directory.path() / "copy" / "control");
  CHECK(missing.TryHandle().status().code() == StatusCode::kDataLoss);

  std::string control = small.control;
  control[8] = 9;  // the format's number
  const std::uint32_t crc = Crc32c(control.data(), 60);
  StoreLe(control.data() + 60, crc);
  StoreBench newer(small.Copy(control, small.feed), kVirtual);
  const absl::Status status = newer.TryHandle().status();
  CHECK(status.code() == StatusCode::kFailedPrecondition);
  CHECK(std::string(status.message()).find("format 9") != std::string::npos);
}

TEST_CASE("file store: what others can write to, or have replaced, is refused") {
  const TemporaryDirectory directory;
  const auto status_of = [](const std::string& path) {
    const auto loop = *NewEpollLoop();
    return NewFileStore({.path = path}, *loop).status();
  };
  REQUIRE(status_of(directory.Join("store")).ok());
  struct stat info;
  REQUIRE(stat(directory.Join("store").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  for (const char* name : {"store/control", "store/feed-0000000000000001"}) {
    REQUIRE(stat(directory.Join(name).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
  }
  std::filesystem::create_symlink(directory.Join("store"), directory.Join("link"));
  CHECK(status_of(directory.Join("link")).code() == StatusCode::kFailedPrecondition);

  REQUIRE(chmod(directory.Join("store").c_str(), 0777) == 0);
  CHECK(status_of(directory.Join("store")).code() == StatusCode::kFailedPrecondition);
  REQUIRE(chmod(directory.Join("store").c_str(), 0700) == 0);
  REQUIRE(chmod(directory.Join("store/control").c_str(), 0666) == 0);
  CHECK(status_of(directory.Join("store")).code() == StatusCode::kFailedPrecondition);
  REQUIRE(chmod(directory.Join("store/control").c_str(), 0600) == 0);
  CHECK(status_of(directory.Join("store")).ok());

  std::filesystem::create_directory(directory.Join("open"));
  REQUIRE(chmod(directory.Join("open").c_str(), 0777) == 0);
  const absl::Status parent = status_of(directory.Join("open/store"));
  CHECK(parent.code() == StatusCode::kFailedPrecondition);
  CHECK(std::string(parent.message()).find("world-writable") != std::string::npos);
  REQUIRE(chmod(directory.Join("open").c_str(), 01777) == 0);
  CHECK(status_of(directory.Join("open/store")).ok());

  std::filesystem::rename(directory.Join("store/control"), directory.Join("control"));
  std::filesystem::create_symlink(directory.Join("control"), directory.Join("store/control"));
  CHECK(status_of(directory.Join("store")).code() == StatusCode::kFailedPrecondition);
  CHECK(status_of(directory.Join("no/such/parent")).code() == StatusCode::kNotFound);
  CHECK(status_of("").code() == StatusCode::kInvalidArgument);
  const auto loop = *NewEpollLoop();
  CHECK(NewFileStore({.path = directory.Join("none"), .create = false}, *loop).status().code() ==
        StatusCode::kNotFound);
}

TEST_CASE("file store: a store that vanishes is an error to writers and readers, not a silence") {
  const TemporaryDirectory directory;
  StoreBench bench({.path = directory.Join("store")});
  const StateSchema schema = contract::WordSchema(1);
  contract::Node node(bench, schema, "node");
  int woken = 0;
  auto watch = *node.store->Watch({}, [&woken] { ++woken; });
  REQUIRE(watch->Next().ok());
  std::filesystem::remove_all(directory.Join("store"));
  contract::Writer writer(schema, node.origin, node.claim.term);
  CHECK(node.store->Apply(writer.Put({1, 1}).Seal()).status().code() == StatusCode::kUnavailable);
  REQUIRE(bench.Until([&woken] { return woken > 0; }));
  CHECK(watch->Next().status().code() == StatusCode::kUnavailable);
  CHECK_FALSE(node.store->state().available);
  CHECK(node.store->state().reason.find("removed") != std::string::npos);
}

}  // namespace
}  // namespace mimi
