// Views: the status of a pair as structs.

#include "bindings/c/view.h"

using namespace mimi::c;  // NOLINT(google-build-using-namespace)

namespace {

const mimi::PartStatus& PartOf(const mimi::PairStatus& status, mimi::Side side, int32_t part) {
  if (side == mimi::Side::kPrimary) {
    return part == MIMI_PART_SOURCE ? status.primary_source : status.primary_sink;
  }
  return part == MIMI_PART_SOURCE ? status.minion_source : status.minion_sink;
}

mimi_part_view PartViewOf(const mimi::PartStatus& part) {
  const mimi::PairRow& row = part.report;
  mimi_part_view out = MIMI_INIT(mimi_part_view);
  out.since_heard = part.since_heard.count();
  out.node = row.node;
  out.term = row.term;
  out.position = row.position;
  out.waiting = row.waiting;
  out.rows = row.rows;
  out.lost = row.lost;
  out.refused = row.refused;
  out.resyncs = row.resyncs;
  out.differing = row.differing;
  out.staleness_p50 = row.staleness_p50.count();
  out.staleness_p99 = row.staleness_p99.count();
  out.staleness_max = row.staleness_max.count();
  out.heard = part.heard ? 1 : 0;
  out.healthy = row.healthy ? 1 : 0;
  out.active = row.active ? 1 : 0;
  out.syncing = row.syncing ? 1 : 0;
  out.readiness = static_cast<int32_t>(row.readiness);
  out.coverage = row.coverage;
  CopyText(row.reason.view(), out.reason);
  return out;
}

}  // namespace

mimi_status mimi_view_close(mimi_view* view, mimi_error* error) {
  return Call(error, {}, [&]() -> absl::Status {
    if (view != nullptr && view->status == nullptr) {
      return mimi::Error(absl::StatusCode::kFailedPrecondition,
                         "the view that a policy is shown is not the caller's to close");
    }
    delete view;
    return absl::OkStatus();
  });
}

mimi_status mimi_view_get_pair(const mimi_view* view, mimi_pair_view* pair, mimi_error* error) {
  return Call(error, {{view, "view"}, {pair, "pair"}}, [&] {
    mimi_pair_view out = MIMI_INIT(mimi_pair_view);
    out.moves = view->pair->moves.size();
    out.phase = static_cast<int32_t>(view->pair->phase);
    out.traffic = static_cast<int32_t>(view->pair->traffic);
    out.unfenced = view->pair->unfenced ? 1 : 0;
    out.acting = view->status == nullptr || view->status->acting ? 1 : 0;
    out.step = view->status != nullptr && view->status->step.has_value()
                   ? static_cast<int32_t>(*view->status->step)
                   : -1;
    out.readiness =
        static_cast<int32_t>(view->pair->box(mimi::OtherSide(view->pair->traffic)).readiness);
    return GiveStruct(out, pair, "mimi_pair_view");
  });
}

mimi_status mimi_view_get_box(const mimi_view* view, int32_t side, mimi_box_view* box,
                              mimi_error* error) {
  return Call(error, {{view, "view"}, {box, "box"}}, [&] {
    mimi::Side which{};
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &which));
    const mimi::BoxView& of = view->pair->box(which);
    mimi_box_view out = MIMI_INIT(mimi_box_view);
    out.health_since_ns = NsOf(of.health_since);
    out.rows = of.rows;
    out.rows_behind = of.rows_behind;
    out.health = static_cast<int32_t>(of.health);
    out.usable = of.usable ? 1 : 0;
    out.writable = of.writable ? 1 : 0;
    out.readiness = static_cast<int32_t>(of.readiness);
    CopyText(of.health_reason, out.health_reason);
    CopyText(of.readiness_reason, out.readiness_reason);
    return GiveStruct(out, box, "mimi_box_view");
  });
}

mimi_status mimi_view_get_part(const mimi_view* view, int32_t side, int32_t part,
                               mimi_part_view* out, mimi_error* error) {
  return Call(error, {{view, "view"}, {out, "out"}}, [&]() -> absl::Status {
    mimi::Side which{};
    MIMI_C_RETURN_IF_ERROR(TakeEnum(side, 2, "side", &which));
    if (part != MIMI_PART_SOURCE && part != MIMI_PART_SINK) {
      return mimi::Error(absl::StatusCode::kInvalidArgument, "part {} is none", part);
    }
    if (view->status == nullptr) {
      return mimi::Error(absl::StatusCode::kNotFound, "a policy is shown no parts");
    }
    return GiveStruct(PartViewOf(PartOf(*view->status, which, part)), out, "mimi_part_view");
  });
}

mimi_status mimi_view_get_move(const mimi_view* view, uint64_t index, mimi_move* move,
                               mimi_error* error) {
  return Call(error, {{view, "view"}, {move, "move"}}, [&]() -> absl::Status {
    if (index >= view->pair->moves.size()) {
      return mimi::Error(absl::StatusCode::kNotFound, "move {} of {}", index,
                         view->pair->moves.size());
    }
    const mimi::Move& of = view->pair->moves[index];
    mimi_move out = MIMI_INIT(mimi_move);
    out.at_ns = NsOf(of.at);
    out.took = of.took.count();
    out.to = static_cast<int32_t>(of.to);
    out.planned = of.planned ? 1 : 0;
    out.succeeded = of.succeeded ? 1 : 0;
    CopyText(of.reason, out.reason);
    return GiveStruct(out, move, "mimi_move");
  });
}

mimi_status mimi_view_to_json(const mimi_view* view, char* buffer, size_t capacity, size_t* length,
                              mimi_error* error) {
  return Call(error, {{view, "view"}, {length, "length"}},
              [&] { return GiveText(ViewJson(*view), buffer, capacity, length); });
}
