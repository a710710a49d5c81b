// A whole file store out of hostile bytes: it opens, or refuses; what it opened can be read and
// written.
//
// Input: a byte of flags, two sizes (u16), then control, base and feed. Flag 1: the feed is a list
// of frames (type, u16 size, payload) for which checksums and a control file are made, so that the
// fuzzer gets past them.
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "mimi/builtin/file_store.h"
#include "mimi/testing/virtual_loop.h"

#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/store/file/layout.h"

namespace {

using namespace mimi;
using namespace mimi::internal;

const std::filesystem::path& Directory() {
  struct Temporary {
    Temporary() {
      std::string pattern = (std::filesystem::temp_directory_path() / "mimi-fuzz-XXXXXX").string();
      if (mkdtemp(pattern.data()) == nullptr) {
        abort();
      }
      path = pattern;
    }
    ~Temporary() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
  };
  static const Temporary temporary;
  return temporary.path;
}

void Write(const std::string& name, std::string_view bytes) {
  std::ofstream(Directory() / name, std::ios::binary | std::ios::trunc) << bytes;
  std::filesystem::permissions(Directory() / name, std::filesystem::perms(0600));
}

// Frames with the right checksums.
std::string MakeFeed(Puller in) {
  std::string feed(AsText(EncodeFileHeader({FileKind::kFeed, 1, 0})));
  std::uint8_t type = 0;
  std::uint16_t size = 0;
  Position position = 0;
  while (in.Le(&type) && in.Le(&size)) {
    std::span<const std::byte> bytes;
    in.Take(std::min<std::size_t>(size, in.remaining()), &bytes);
    std::string payload(AsText(bytes));
    const bool batch = type == static_cast<std::uint8_t>(FrameType::kBatch);
    if (batch && payload.size() > 4) {
      StoreLe(payload.data() + payload.size() - 4, Crc32c(payload.data(), payload.size() - 4));
    }
    const auto header =
        EncodeFrameHeader({static_cast<FrameType>(type), static_cast<std::uint32_t>(payload.size()),
                           position, batch ? 0 : Crc32c(payload.data(), payload.size())},
                          1);
    BatchView view;
    if (batch && BatchView::TryParse(AsBytes(payload), &view) == BatchRefusal::kNone) {
      position += view.empty() ? 1 : view.size();
    }
    feed.append(AsText(header)).append(payload);
  }
  return feed;
}

std::string MakeControl(std::size_t feed_size) {
  std::string control(kControlFileSize, '\0');
  const auto header = EncodeControlHeader();
  std::memcpy(control.data(), header.data(), header.size());
  for (std::size_t i = 0; i < kSlotOffsets.size(); ++i) {  // of a boot that is over
    const auto slot = EncodeSlot(
        {.generation = i + 1, .incarnation = 1, .first_segment = 1, .end = {1, feed_size}});
    std::memcpy(control.data() + kSlotOffsets[i], slot.data(), slot.size());
  }
  return control;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Puller in(std::as_bytes(std::span(data, size)));
  std::uint8_t flags = 0;
  std::uint16_t control_size = 0;
  std::uint16_t base_size = 0;
  std::span<const std::byte> control;
  std::span<const std::byte> base;
  if (!in.Le(&flags) || !in.Le(&control_size) || !in.Le(&base_size) ||
      !in.Take(std::min<std::size_t>(control_size, in.remaining()), &control) ||
      !in.Take(std::min<std::size_t>(base_size, in.remaining()), &base)) {
    return 0;
  }
  for (const auto& old : std::filesystem::directory_iterator(Directory())) {
    std::filesystem::remove(old);
  }
  const std::string feed = (flags & 1) != 0 ? MakeFeed(in) : std::string(AsText(in.rest()));
  Write("control", (flags & 1) != 0 ? MakeControl(feed.size()) : std::string(AsText(control)));
  Write(FileName(FileKind::kBase, 1), AsText(base));
  Write(FileName(FileKind::kFeed, 1), feed);

  VirtualClock clock;
  VirtualLoop loop(clock);
  const auto store = NewFileStore({.path = Directory().string(), .max_rows = 10'000}, loop);
  if (!store.ok()) {
    return 0;
  }
  (*store)->Claim({.origin = 1}, [](const absl::StatusOr<Claimed>&) {});
  loop.RunUntilIdle();
  const auto watch = (*store)->Watch({}, [] {});
  for (int i = 0; watch.ok() && i < 1000; ++i) {
    const auto batch = (*watch)->Next();
    if (!batch.ok() || !batch->has_value()) {
      break;
    }
  }
  const auto snapshot = (*store)->Snapshot(0, [] {});
  for (int i = 0; snapshot.ok() && i < 1000 && !(*snapshot)->done(); ++i) {
    (void)(*snapshot)->Next().ok();
  }
  return 0;
}
