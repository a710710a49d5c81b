// Batches: mimi/record.h.

#include "mimi/record.h"

#include "bindings/c/handles.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

struct mimi_batch_builder {
  mimi_batch_builder(const mimi::StateSchema& schema, std::uint64_t origin, std::size_t capacity)
      : row_size(schema.row_size()),
        key_size(schema.key_size()),
        builder(schema, origin, capacity) {}

  std::size_t row_size;
  std::size_t key_size;
  mimi::BatchBuilder builder;
  mimi_batch current;
};

namespace {

absl::Status Full(bool put) {
  return put ? absl::OkStatus()
             : mimi::Error(absl::StatusCode::kResourceExhausted, "the batch is full");
}

absl::Status CheckSize(std::size_t size, std::size_t expected, const char* what) {
  return size == expected ? absl::OkStatus()
                          : mimi::Error(absl::StatusCode::kInvalidArgument,
                                        "{} has {} bytes, expected {}", what, size, expected);
}

}  // namespace

mimi_status mimi_batch_new_parsed(const void* bytes, size_t size, mimi_batch** batch,
                                  mimi_error* error) {
  return Call(error, {{bytes, "bytes"}, {batch, "batch"}}, [&] {
    const auto from = SpanOf(bytes, size);
    std::vector<std::byte> copy(from.begin(), from.end());
    absl::StatusOr<mimi::BatchView> view = mimi::BatchView::Parse(copy);
    MIMI_C_RETURN_IF_ERROR(view.status());
    *batch = new mimi_batch{*view, std::move(copy)};  // a moved vector keeps its place
    return absl::OkStatus();
  });
}

mimi_status mimi_batch_close(mimi_batch* batch, mimi_error* error) {
  return Call(error, {}, [&]() -> absl::Status {
    if (batch != nullptr && batch->bytes.empty()) {
      return mimi::Error(absl::StatusCode::kFailedPrecondition,
                         "this batch is not the caller's: only parsed ones are closed");
    }
    delete batch;
    return absl::OkStatus();
  });
}

mimi_status mimi_batch_get_info(const mimi_batch* batch, mimi_batch_info* info, mimi_error* error) {
  return Call(error, {{batch, "batch"}, {info, "info"}}, [&] {
    const mimi::BatchView& view = batch->view;
    const mimi_batch_info out = {sizeof out,
                                 view.table(),
                                 view.fingerprint(),
                                 view.origin(),
                                 view.term(),
                                 view.first_sequence(),
                                 view.time().time_since_epoch().count(),
                                 view.size(),
                                 view.key_size(),
                                 view.row_size(),
                                 view.bytes().data(),
                                 view.bytes().size(),
                                 view.flags()};
    return GiveStruct(out, info, "mimi_batch_info");
  });
}

mimi_status mimi_batch_get_record(const mimi_batch* batch, size_t index, mimi_record* record,
                                  mimi_error* error) {
  return Call(error, {{batch, "batch"}, {record, "record"}}, [&]() -> absl::Status {
    if (index >= batch->view.size()) {
      return mimi::Error(absl::StatusCode::kNotFound, "record {} of {}", index, batch->view.size());
    }
    return GiveStruct(RecordOf(batch->view[index]), record, "mimi_record");
  });
}

mimi_status mimi_batch_size_of(const void* prefix, size_t prefix_size, size_t* size,
                               mimi_error* error) {
  return Call(error, {{prefix, "prefix"}, {size, "size"}},
              [&] { return Give(mimi::BatchView::SizeOf(SpanOf(prefix, prefix_size)), size); });
}

mimi_status mimi_batch_builder_new(const mimi_schema* schema, uint64_t origin, size_t capacity,
                                   mimi_batch_builder** builder, mimi_error* error) {
  return Call(error, {{schema, "schema"}, {builder, "builder"}}, [&]() -> absl::Status {
    const std::size_t least =
        mimi::kBatchHeaderSize + mimi::kBatchTrailerSize + schema->schema.row_size() + 64;
    const std::size_t size = capacity == 0 ? std::size_t{64} * 1024 : capacity;
    if (size < least || size > mimi::kMaxBatchSize) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "capacity {}, expected {} to {}", size,
                         least, mimi::kMaxBatchSize);
    }
    *builder = new mimi_batch_builder(schema->schema, origin, size);
    return absl::OkStatus();
  });
}

mimi_status mimi_batch_builder_close(mimi_batch_builder* builder, mimi_error*) {
  delete builder;
  return MIMI_OK;
}

mimi_status mimi_batch_builder_put(mimi_batch_builder* builder, const void* row, size_t row_size,
                                   mimi_error* error) {
  return Call(error, {{builder, "builder"}, {row, "row"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(CheckSize(row_size, builder->row_size, "row"));
    return Full(builder->builder.Put(SpanOf(row, row_size)));
  });
}

mimi_status mimi_batch_builder_erase(mimi_batch_builder* builder, int32_t op, const void* key,
                                     size_t key_size, mimi_error* error) {
  return Call(error, {{builder, "builder"}, {key, "key"}}, [&]() -> absl::Status {
    MIMI_C_RETURN_IF_ERROR(CheckSize(key_size, builder->key_size, "key"));
    if (op != MIMI_OP_ERASE && op != MIMI_OP_ERASE_ABRUPT) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "op {} does not erase", op);
    }
    return Full(builder->builder.Erase(SpanOf(key, key_size), static_cast<mimi::Op>(op)));
  });
}

mimi_status mimi_batch_builder_set_flags(mimi_batch_builder* builder, uint32_t flags,
                                         mimi_error* error) {
  return Call(error, {{builder, "builder"}}, [&]() -> absl::Status {
    constexpr uint32_t kSettable =
        MIMI_BATCH_RESYNC_BEGIN | MIMI_BATCH_RESYNC_END | MIMI_BATCH_HEARTBEAT;
    if ((flags & ~kSettable) != 0) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "flags {:#x}, expected some of {:#x}",
                         flags, kSettable);
    }
    builder->builder.set_flags(static_cast<std::uint16_t>(flags));
    return absl::OkStatus();
  });
}

mimi_status mimi_batch_builder_draft(mimi_batch_builder* builder, const mimi_batch** batch,
                                     mimi_error* error) {
  return Call(error, {{builder, "builder"}, {batch, "batch"}}, [&] {
    builder->current.view = builder->builder.Draft();
    *batch = &builder->current;
    return absl::OkStatus();
  });
}

mimi_status mimi_batch_builder_seal(mimi_batch_builder* builder, uint64_t term,
                                    uint64_t first_sequence, int64_t unix_ns,
                                    const mimi_batch** batch, mimi_error* error) {
  return Call(error, {{builder, "builder"}, {batch, "batch"}}, [&] {
    builder->current.view =
        builder->builder.Seal(term, first_sequence, mimi::UnixTime(mimi::Duration(unix_ns)));
    *batch = &builder->current;
    return absl::OkStatus();
  });
}

mimi_status mimi_batch_builder_clear(mimi_batch_builder* builder, mimi_error* error) {
  return Call(error, {{builder, "builder"}}, [&] {
    builder->builder.Clear();
    return absl::OkStatus();
  });
}

mimi_status mimi_origin_of(const char* node, uint64_t* origin, mimi_error* error) {
  return Call(error, {{node, "node"}, {origin, "origin"}}, [&] {
    *origin = mimi::OriginOf(node);
    return absl::OkStatus();
  });
}
