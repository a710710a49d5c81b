#ifndef MIMI_SRC_SERVICE_ROW_STREAM_H_
#define MIMI_SRC_SERVICE_ROW_STREAM_H_

// RowStream: the rows of a table as JSON, at the pace of who reads them.
//
// Threads: the loop thread only. Lifetime: store and loop outlive it; when it goes, it calls nobody
// any more.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"

#include "mimi/loop.h"
#include "mimi/schema.h"
#include "mimi/store.h"

namespace mimi::service {

class RowStream {
 public:
  struct Sink {
    std::function<void(const std::string& row_json)> row;
    /// False: no room now; Continue() will be called.
    std::function<bool()> room;
    std::function<void(absl::Status status, std::uint64_t rows)> done;
  };
  /// `limit`: rows; 0 is all.
  RowStream(const StateSchema& schema, std::uint64_t limit, StateStore& store, Loop& loop,
            Sink sink);
  ~RowStream() { *alive_ = false; }
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  /// Writes as much as there is room for, at most about a millisecond of it.
  void Continue();

 private:
  void ContinueSoon();
  void Finish(const absl::Status& status);
  bool WriteBatch();

  StateSchema schema_;
  std::uint64_t limit_;
  StateStore& store_;
  Loop& loop_;
  Sink sink_;
  std::unique_ptr<Cursor> cursor_;
  std::uint64_t rows_ = 0;
  bool finished_ = false;
  bool posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_ROW_STREAM_H_
