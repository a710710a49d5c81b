#ifndef MIMI_SRC_STORE_FILE_FRAME_READER_H_
#define MIMI_SRC_STORE_FILE_FRAME_READER_H_

// FrameReader: the frames of one feed or base file, one after the other, every checksum checked.
//
// Threads: one at a time.
// Lifetime: a frame is valid until the next call. The file stays readable after it was unlinked.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/record.h"

#include "src/base/unique_fd.h"
#include "src/store/file/directory.h"
#include "src/store/file/layout.h"

namespace mimi::internal {

// An open feed or base file. Shared by whoever reads it.
struct LogFile {
  UniqueFd fd;
  FileHeader header;
  std::string path;

  // Errors: NotFound (trimmed), and as DecodeFileHeader and StoreDirectory::OpenFile.
  static absl::StatusOr<std::shared_ptr<const LogFile>> Open(const StoreDirectory& directory,
                                                             FileKind kind, std::uint64_t number);
  // Bytes; 0 when that cannot be told.
  std::uint64_t Size() const;
};

struct Frame {
  FrameHeader header;
  std::span<const std::byte> payload;
  BatchView batch;  // of kBatch
  LogPlace place;   // where the frame starts

  // By how much it moves the head.
  Position Advance() const {
    return header.type != FrameType::kBatch ? 0 : batch.empty() ? 1 : batch.size();
  }
};

class FrameReader {
 public:
  enum class Result : std::uint8_t {
    kFrame,
    kEnd,     // the limit is reached
    kDamage,  // what stands before the limit is no whole frame; see damage()
  };

  explicit FrameReader(std::shared_ptr<const LogFile> file, std::uint64_t offset = kFileHeaderSize)
      : file_(std::move(file)), offset_(offset) {}

  // Takes the next frame that ends at or before `limit`, an offset in the file.
  Result Next(std::uint64_t limit, Frame* frame);

  // The frame that starts at place() and ends at `offset` is known otherwise.
  void SkipTo(std::uint64_t offset) {
    offset_ = offset;
    buffer_size_ = 0;  // may hold what stood there before
  }

  // Where the next frame starts.
  LogPlace place() const { return {file_->header.number, offset_}; }
  const LogFile& file() const { return *file_; }
  // What is wrong at place(): DataLoss that names file and offset; Unavailable if reading failed.
  absl::Status damage() const;

 private:
  // At least `size` bytes from offset_ on; false when the file has not so many before `limit`.
  bool Fill(std::size_t size, std::uint64_t limit);
  Result Refuse(std::string why);

  std::shared_ptr<const LogFile> file_;
  std::uint64_t offset_;
  std::vector<std::byte> buffer_;
  std::uint64_t buffer_from_ = 0;  // the offset of the first byte in buffer_
  std::size_t buffer_size_ = 0;    // bytes of it that are read
  std::string why_;
  int error_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_FRAME_READER_H_
