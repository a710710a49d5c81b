// Batches from hostile bytes: an accepted one can be walked, and is read the same when built again.
// The checksum is set right first, or nothing but the checksum would ever be tried.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "mimi/record.h"

#include "fuzz/fuzz.h"
#include "src/base/bytes.h"
#include "src/base/crc32c.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, bytes.begin());
  if (size >= mimi::kBatchTrailerSize) {
    const std::size_t covered = size - mimi::kBatchTrailerSize;
    mimi::StoreLe(bytes.data() + covered, mimi::Crc32c(bytes.data(), covered));
  }
  mimi::BatchView view;
  const bool accepted = mimi::BatchView::TryParse(bytes, &view) == mimi::BatchRefusal::kNone;
  const auto said = mimi::BatchView::SizeOf(bytes);
  if (mimi::BatchView::Parse(bytes).ok() != accepted ||
      (accepted && (!said.ok() || *said != bytes.size()))) {
    std::abort();
  }
  unsigned sum = 0;
  if (accepted) {
    for (const mimi::RecordView record : view) {
      for (const std::byte b : record.row) {
        sum += std::to_integer<unsigned>(b);
      }
      if (record.key.size() != view.key_size() || record.op == mimi::Op::kEraseAbrupt) {
        std::abort();
      }
    }
  }
  volatile unsigned keep = sum;
  static_cast<void>(keep);
  return 0;
}
