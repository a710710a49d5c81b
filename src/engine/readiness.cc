#include "src/engine/readiness.h"

#include <cstdint>

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::internal {
namespace {

// PairRow::coverage
constexpr std::uint8_t kBegins = 1;
constexpr std::uint8_t kWalkable = 4;
constexpr std::uint8_t kComplete = 8;

int Severity(Readiness word) {
  switch (word) {
    case Readiness::kReady:
      return 0;
    case Readiness::kDegraded:
      return 1;
    case Readiness::kSyncing:
      return 2;
    case Readiness::kBlind:
      return 3;
  }
  return 3;  // a word of a newer version: not understood, so not trusted
}

// False: nothing is known of it now.
bool AssessHearing(const PartStatus& part, Side side, std::string_view kind,
                   ReadinessFindings* findings) {
  if (!IsKnown(part)) {
    findings->Add(Readiness::kBlind,
                  fmt::format("no {} of the {} has reported", kind, SideName(side)));
    return false;
  }
  if (!part.heard) {
    const bool never = part.since_heard == Duration::max();
    findings->Add(Readiness::kBlind,
                  never ? fmt::format("{}'s {} not heard yet", SideName(side), kind)
                        : fmt::format("{}'s {} not heard for {}", SideName(side), kind,
                                      DurationText(part.since_heard)));
    return false;
  }
  return true;
}

// What the part says of itself.
void AssessReport(const PartStatus& part, Side side, std::string_view kind,
                  ReadinessFindings* findings) {
  const PairRow& report = part.report;
  if (report.readiness == Readiness::kReady && report.healthy) {
    return;
  }
  const Readiness word =
      report.readiness == Readiness::kReady ? Readiness::kDegraded : report.readiness;
  findings->Add(word, fmt::format("{}'s {} {}{}{}", SideName(side), kind,
                                  report.healthy ? ReadinessName(word) : "not healthy",
                                  report.reason.view().empty() ? "" : ": ", report.reason.view()));
}

void AssessSink(const BoxParts& parts, ReadinessFindings* findings) {
  if (!AssessHearing(parts.sink, parts.side, "sink", findings)) {
    return;
  }
  AssessReport(parts.sink, parts.side, "sink", findings);
  const PairRow& report = parts.sink.report;
  if (report.syncing) {
    findings->Add(Readiness::kSyncing, fmt::format("{} is being loaded", SideName(parts.side)));
  } else if (report.resyncs == 0) {
    findings->Add(Readiness::kSyncing,
                  fmt::format("{} has not been loaded yet", SideName(parts.side)));
  }
  if (report.differing > 0) {
    findings->Add(Readiness::kDegraded,
                  fmt::format("{} rows differed at the last audit", report.differing));
  }
}

void AssessSource(const BoxParts& parts, ReadinessFindings* findings) {
  const Side side = OtherSide(parts.side);
  if (!AssessHearing(parts.source, side, "source", findings)) {
    return;
  }
  AssessReport(parts.source, side, "source", findings);
  const PairRow& report = parts.source.report;
  if (report.syncing) {
    findings->Add(Readiness::kSyncing, fmt::format("a resync of the {} runs", SideName(side)));
  }
  if (parts.standby && !report.active) {
    findings->Add(Readiness::kSyncing,
                  fmt::format("the {} has the traffic and does not publish yet, {} records wait",
                              SideName(side), report.waiting));
  } else if (parts.standby &&
             (!parts.published.has_value() || parts.sink.report.position < *parts.published)) {
    findings->Add(Readiness::kSyncing,
                  fmt::format("what the {} held back is not confirmed yet", SideName(side)));
  }
  if ((report.coverage & (kBegins | kWalkable)) == 0) {
    findings->Add(Readiness::kBlind,
                  fmt::format("{}'s source cannot tell live flows", SideName(side)));
  } else if ((report.coverage & kComplete) == 0) {
    findings->Add(Readiness::kDegraded,
                  fmt::format("{}'s source does not see every flow", SideName(side)));
  }
}

void AssessStore(const StoreState& store, ReadinessFindings* findings) {
  if (!store.available) {
    findings->Add(Readiness::kDegraded, store.reason.empty()
                                            ? std::string("store unreachable")
                                            : fmt::format("store unreachable: {}", store.reason));
  }
  if (store.rows_missing > 0) {
    findings->Add(Readiness::kDegraded,
                  fmt::format("{} rows left out of full tables", store.rows_missing));
  }
}

}  // namespace

void ReadinessFindings::Add(Readiness word, std::string_view reason) {
  if (Severity(word) > Severity(word_)) {
    word_ = Severity(word) == Severity(Readiness::kBlind) ? Readiness::kBlind : word;
  }
  if (!reasons_.empty()) {
    reasons_ += "; ";
  }
  reasons_ += reason;
}

BoxView AssessBox(const BoxParts& parts) {
  const PartStatus& sink = parts.sink;
  ReadinessFindings findings;
  AssessStore(parts.store, &findings);
  AssessSink(parts, &findings);
  AssessSource(parts, &findings);

  BoxView box;
  box.writable = IsKnown(sink);
  if (box.writable) {
    box.usable = (sink.heard || !parts.store.available) && sink.report.healthy;
  } else {
    box.usable = parts.side == Side::kPrimary && parts.restore_without_state;
  }
  box.readiness = findings.word();
  box.readiness_reason = findings.reasons();
  box.rows = sink.report.rows;
  box.rows_behind =
      parts.store.head > sink.report.position ? parts.store.head - sink.report.position : 0;
  if (!box.writable) {
    box.rows_behind = 0;
  }
  return box;
}

}  // namespace mimi::internal
