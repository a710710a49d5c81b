// Lanes: mimi/lane.h. Everything up to the walk runs on packet threads: no Status is made unless
// something is wrong.

#include "mimi/lane.h"

#include "bindings/c/lane.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace {

/// How a record that found room, or did not, is told.
mimi_status Told(bool taken, mimi_error* error) {
  if (taken) [[likely]] {
    return MIMI_OK;
  }
  return Report(MIMI_RESOURCE_EXHAUSTED, "the ring is full", error);
}

/// What is wrong with the call, if anything. A claimed row is in the place where the next one goes.
absl::Status Check(const mimi_lane* lane, const void* bytes, const char* what, size_t size,
                   size_t expected) {
  MIMI_C_RETURN_IF_ERROR(CheckNeeded({{bytes, what}}));
  if (size != expected) {
    return mimi::Error(absl::StatusCode::kInvalidArgument, "{} has {} bytes, expected {}", what,
                       size, expected);
  }
  if (lane->claimed) {
    return mimi::Error(absl::StatusCode::kFailedPrecondition,
                       "a row is claimed on this lane: commit or abort it first");
  }
  return absl::OkStatus();
}

/// One branch for all that can be wrong, since this is on the packet path.
bool Good(const mimi_lane* lane, const void* bytes, size_t size, size_t expected) {
  return bytes != nullptr && size == expected && !lane->claimed;
}

template <class Write>
mimi_status WriteKey(mimi_lane* lane, const void* key, size_t key_size, mimi_error* error,
                     Write write) {
  if (lane == nullptr) [[unlikely]] {
    return Report(CheckNeeded({{lane, "lane"}}), error);
  }
  if (!Good(lane, key, key_size, lane->lane->key_size())) [[unlikely]] {
    return Report(Check(lane, key, "key", key_size, lane->lane->key_size()), error);
  }
  return Told(write(SpanOf(key, key_size)), error);
}

absl::Status NoClaim() {
  return mimi::Error(absl::StatusCode::kFailedPrecondition, "no row is claimed on this lane");
}

/// The three steps of a walk: there is room, or there will be.
absl::Status Walked(bool taken) {
  return taken ? absl::OkStatus()
               : mimi::Error(absl::StatusCode::kResourceExhausted, "no room now; call it again");
}

}  // namespace

mimi_status mimi_lane_put(mimi_lane* lane, const void* row, size_t row_size, mimi_error* error) {
  if (lane == nullptr) [[unlikely]] {
    return Report(CheckNeeded({{lane, "lane"}}), error);
  }
  if (!Good(lane, row, row_size, lane->lane->row_size())) [[unlikely]] {
    return Report(Check(lane, row, "row", row_size, lane->lane->row_size()), error);
  }
  return Told(lane->lane->Put(SpanOf(row, row_size)), error);
}

mimi_status mimi_lane_erase(mimi_lane* lane, const void* key, size_t key_size, mimi_error* error) {
  return WriteKey(lane, key, key_size, error,
                  [&](std::span<const std::byte> bytes) { return lane->lane->Erase(bytes); });
}

mimi_status mimi_lane_erase_abrupt(mimi_lane* lane, const void* key, size_t key_size,
                                   mimi_error* error) {
  return WriteKey(lane, key, key_size, error,
                  [&](std::span<const std::byte> bytes) { return lane->lane->EraseAbrupt(bytes); });
}

mimi_status mimi_lane_claim(mimi_lane* lane, void** row, mimi_error* error) {
  if (lane == nullptr || row == nullptr) [[unlikely]] {
    return Report(CheckNeeded({{lane, "lane"}, {row, "row"}}), error);
  }
  void* place = lane->lane->Claim();
  lane->claimed = place != nullptr;
  if (place != nullptr) [[likely]] {
    *row = place;
  }
  return Told(place != nullptr, error);
}

mimi_status mimi_lane_commit(mimi_lane* lane, mimi_error* error) {
  return Call(error, {{lane, "lane"}}, [&] {
    if (!lane->claimed) {
      return NoClaim();
    }
    lane->claimed = false;
    lane->lane->Commit();
    return absl::OkStatus();
  });
}

mimi_status mimi_lane_abort(mimi_lane* lane, mimi_error* error) {
  return Call(error, {{lane, "lane"}}, [&] {
    if (!lane->claimed) {
      return NoClaim();
    }
    lane->claimed = false;
    lane->lane->Abort();
    return absl::OkStatus();
  });
}

mimi_status mimi_lane_mark(const mimi_lane* lane, uint64_t* ticket, mimi_error* error) {
  return Call(error, {{lane, "lane"}, {ticket, "ticket"}}, [&] {
    *ticket = lane->lane->Mark();
    return absl::OkStatus();
  });
}

mimi_status mimi_lane_confirmed(const mimi_lane* lane, uint64_t* ticket, mimi_error* error) {
  return Call(error, {{lane, "lane"}, {ticket, "ticket"}}, [&] {
    *ticket = lane->lane->Confirmed();
    return absl::OkStatus();
  });
}

mimi_status mimi_lane_lost(const mimi_lane* lane, uint64_t* lost, mimi_error* error) {
  return Call(error, {{lane, "lane"}, {lost, "lost"}}, [&] {
    *lost = lane->lane->lost();
    return absl::OkStatus();
  });
}

mimi_status mimi_lane_resync_wanted(const mimi_lane* lane, int32_t* wanted, mimi_error* error) {
  return Call(error, {{lane, "lane"}, {wanted, "wanted"}}, [&] {
    *wanted = lane->lane->ResyncWanted() ? 1 : 0;
    return absl::OkStatus();
  });
}

mimi_status mimi_lane_begin_resync(mimi_lane* lane, mimi_error* error) {
  return Call(error, {{lane, "lane"}}, [&] { return Walked(lane->lane->BeginResync()); });
}

mimi_status mimi_lane_walk(mimi_lane* lane, const void* row, size_t row_size, mimi_error* error) {
  return Call(error, {{lane, "lane"}}, [&] {
    MIMI_C_RETURN_IF_ERROR(Check(lane, row, "row", row_size, lane->lane->row_size()));
    return Walked(lane->lane->Walk(SpanOf(row, row_size)));
  });
}

mimi_status mimi_lane_end_resync(mimi_lane* lane, mimi_error* error) {
  return Call(error, {{lane, "lane"}}, [&] { return Walked(lane->lane->EndResync()); });
}

mimi_status mimi_lane_close(mimi_lane* lane, mimi_error*) {
  if (lane != nullptr) {
    lane->lane->Close();
    delete lane;
  }
  return MIMI_OK;
}
