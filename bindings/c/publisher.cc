// Publishers: mimi/publisher.h, the writing half without an engine.

#include "mimi/publisher.h"

#include "bindings/c/lane.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

struct mimi_publisher : Object {
  explicit mimi_publisher(mimi_store* into) : Object("publisher", into->on) { Use(into); }
  std::unique_ptr<mimi::Publisher> publisher;
};

namespace {

absl::Status TakeOptions(const mimi_publisher_options* from, mimi_store* store,
                         mimi::PublisherOptions* options) {
  mimi_publisher_options taken;
  MIMI_C_RETURN_IF_ERROR(Take(from, &taken, "mimi_publisher_options"));
  const auto count = [](std::uint64_t value, std::size_t* to) {
    *to = value != 0 ? static_cast<std::size_t>(value) : *to;
  };
  const auto time = [](std::int64_t value, mimi::Duration* to) {
    *to = value != 0 ? mimi::Duration(std::max<std::int64_t>(value, 0)) : *to;
  };
  count(taken.ring_slots, &options->ring_slots);
  count(taken.batch_size, &options->batch_size);
  count(taken.max_pending, &options->max_pending);
  time(taken.heartbeat, &options->heartbeat);
  time(taken.erase_linger, &options->erase_linger);
  options->seed = taken.seed;
  options->wake = taken.wake != 0;
  options->sweep = taken.keep_unmentioned != 0 ? nullptr : store->store.get();
  return absl::OkStatus();
}

mimi_publisher_stats StatsOf(const mimi::PublisherStats& stats) {
  mimi_publisher_stats out = {};
  out.size = sizeof out;
  out.published = stats.published;
  out.coalesced = stats.coalesced;
  out.sealed = stats.sealed;
  out.batches = stats.batches;
  out.heartbeats = stats.heartbeats;
  out.resent = stats.resent;
  out.refused = stats.refused;
  out.lost = stats.lost();
  out.muted_erases = stats.muted_erases;
  out.held_erases = stats.held_erases;
  out.dropped_erases = stats.dropped_erases;
  out.swept = stats.swept;
  out.resyncs_begun = stats.resyncs_begun;
  out.resyncs_done = stats.resyncs_done;
  out.term = stats.term;
  out.lanes = stats.lanes;
  out.pending = stats.pending;
  out.in_flight = stats.in_flight;
  out.holding = stats.holding;
  out.oldest_unconfirmed_unix_ns = stats.oldest_unconfirmed.time_since_epoch().count();
  out.resync_wanted = stats.resync_wanted ? 1 : 0;
  out.resyncing = stats.resyncing ? 1 : 0;
  return out;
}

}  // namespace

mimi_status mimi_publisher_new(mimi_store* store, const mimi_schema* schema, uint64_t origin,
                               const mimi_publisher_options* options, mimi_publisher** publisher,
                               mimi_error* error) {
  return Call(error, {{store, "store"}, {schema, "schema"}, {publisher, "publisher"}}, [&] {
    mimi::PublisherOptions taken;
    MIMI_C_RETURN_IF_ERROR(TakeOptions(options, store, &taken));
    auto handle = std::make_unique<mimi_publisher>(store);
    auto made = mimi::NewPublisher(schema->schema, origin, *store->store, mimi::SystemClock(),
                                   std::move(taken));
    MIMI_C_RETURN_IF_ERROR(made.status());
    handle->publisher = *std::move(made);
    *publisher = handle.release();
    return absl::OkStatus();
  });
}

mimi_status mimi_publisher_close(mimi_publisher* publisher, mimi_error* error) {
  return Call(error, {}, [&] {
    if (publisher != nullptr) {
      MIMI_C_RETURN_IF_ERROR(publisher->CanClose(true));
      delete publisher;
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_publisher_open_lane(mimi_publisher* publisher, mimi_lane** lane,
                                     mimi_error* error) {
  return Call(error, {{publisher, "publisher"}, {lane, "lane"}},
              [&] { return GiveNew(publisher->publisher->OpenLane(), lane); });
}

mimi_status mimi_publisher_set_term(mimi_publisher* publisher, uint64_t term, mimi_error* error) {
  return Call(error, {{publisher, "publisher"}},
              [&] { return publisher->publisher->SetTerm(term); });
}

mimi_status mimi_publisher_mute(mimi_publisher* publisher, mimi_error* error) {
  return Call(error, {{publisher, "publisher"}}, [&] {
    publisher->publisher->Mute();
    return absl::OkStatus();
  });
}

mimi_status mimi_publisher_status(mimi_publisher* publisher, mimi_error* error) {
  return Call(error, {{publisher, "publisher"}}, [&] { return publisher->publisher->status(); });
}

mimi_status mimi_publisher_want_resync(mimi_publisher* publisher, mimi_error* error) {
  return Call(error, {{publisher, "publisher"}}, [&] {
    publisher->publisher->WantResync();
    return absl::OkStatus();
  });
}

mimi_status mimi_publisher_tick(mimi_publisher* publisher, int64_t* next_ns, mimi_error* error) {
  return Call(error, {{publisher, "publisher"}}, [&] {
    publisher->publisher->Tick(TimeOf(mimi_now_ns()));
    if (next_ns != nullptr) {
      *next_ns = NsOf(publisher->publisher->NextDeadline());
    }
    return absl::OkStatus();
  });
}

mimi_status mimi_publisher_wake_fd(mimi_publisher* publisher, int* fd, mimi_error* error) {
  return Call(error, {{publisher, "publisher"}, {fd, "fd"}}, [&] {
    *fd = publisher->publisher->WakeFd();
    return absl::OkStatus();
  });
}

mimi_status mimi_publisher_get_stats(mimi_publisher* publisher, mimi_publisher_stats* stats,
                                     mimi_error* error) {
  return Call(error, {{publisher, "publisher"}, {stats, "stats"}}, [&] {
    return GiveStruct(StatsOf(publisher->publisher->stats()), stats, "mimi_publisher_stats");
  });
}
