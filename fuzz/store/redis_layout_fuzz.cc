// What a Redis store reads out of the server beside batches: buckets of rows, summaries, ids,
// redirections of a Cluster.
//
// Input: a byte of flags (1: tombstones; 2: the checksum is made right), then a bucket. The same
// bytes are read as text.
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "src/base/bytes.h"
#include "src/base/crc32c.h"
#include "src/io/redis_words.h"
#include "src/store/redis/redis_layout.h"
#include "src/store/redis/row_blob.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mimi;
  using namespace mimi::internal;
  if (size == 0) {
    return 0;
  }
  const RowBlobKind kind = (data[0] & 1) != 0 ? RowBlobKind::kTombstones : RowBlobKind::kRows;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 2) != 0 && bytes.size() >= 4) {
    StoreLe(bytes.data() + bytes.size() - 4, Crc32c(bytes.data(), bytes.size() - 4));
  }
  if (const auto view = RowBlobView::Parse(bytes, kind); view.ok()) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < view->size(); ++i) {
      const RowBlobView::Entry entry = (*view)[i];
      if (entry.bytes.size() != view->entry_size()) {
        std::abort();
      }
      for (const std::byte byte : entry.bytes) {
        sum += std::to_integer<std::size_t>(byte);
      }
    }
    if (sum > bytes.size() * 255 || view->size() > kMaxBlobEntries) {
      std::abort();
    }
  }
  if (const auto summary = RedisTableSummary::Parse(bytes); summary.has_value()) {
    const auto again = RedisTableSummary::Parse(summary->ToText());
    if (!again.has_value() || again->ToText() != summary->ToText()) {
      std::abort();
    }
  }
  if (const auto id = ParseHexId(bytes); id.has_value() && ParseHexId(HexId(*id)) != id) {
    std::abort();
  }
  ParseEntryId(bytes);
  if (const auto to = ParseRedirection(bytes, "from"); to.has_value() && to->to.host.empty()) {
    std::abort();
  }
  return 0;
}
