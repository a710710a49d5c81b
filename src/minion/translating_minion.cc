#include "mimi/builtin/translating_minion.h"

#include <algorithm>
#include <span>
#include <string_view>

#include <fmt/core.h>

#include "mimi/flow.h"
#include "mimi/record.h"

#include "src/base/status.h"
#include "src/rules/translation.h"

namespace mimi {
namespace {

class TranslatingMinion final : public Minion {
 public:
  TranslatingMinion(rules::Translation translation, std::unique_ptr<Minion> minion)
      : translation_(std::move(translation)),
        minion_(std::move(minion)),
        builder_(FlowSchema(), Origin{}, kMaxBatchSize),
        flow_(FlowSchema().row_size()),
        row_(translation_.from().row_size()) {}

  const StateSchema& schema() const override { return translation_.from(); }

  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  Position confirmed() const override { return minion_->confirmed(); }

  void Warm(StatusCallback done) override { minion_->Warm(std::move(done)); }
  void Activate(StatusCallback done) override { minion_->Activate(std::move(done)); }
  void Retire(StatusCallback done) override { minion_->Retire(std::move(done)); }

  absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) override {
    if (!translation_.reversible()) {
      return Error(absl::StatusCode::kUnimplemented,
                   "{}: a field of it is in no flow, so flows do not tell it", schema().name());
    }
    BackVisitor back(*this, visitor);
    return minion_->Audit(back, budget);
  }

  MinionState state() const override {
    MinionState state = minion_->state();
    state.refused += refused_;
    return state;
  }
  void Collect(MetricList& metrics) const override {
    minion_->Collect(metrics);
    metrics.push_back(CounterMetric("mimi_translation_refused_total", "Rows that have no flow",
                                    refused_, {{"table", std::string(schema().name())}}));
  }

 private:
  // Flows that an audit shows, as the rows that they come from.
  class BackVisitor final : public AuditVisitor {
   public:
    BackVisitor(TranslatingMinion& minion, AuditVisitor& visitor)
        : minion_(minion), visitor_(visitor) {}
    void Row(std::span<const std::byte> flow) override {
      if (minion_.translation_.Back(flow, minion_.row_)) {
        visitor_.Row(minion_.row_);
      } else {
        visitor_.Finding("foreign", "a flow that no row stands for");
      }
    }
    void Finding(std::string_view kind, std::string_view detail) override {
      visitor_.Finding(kind, detail);
    }

   private:
    TranslatingMinion& minion_;
    AuditVisitor& visitor_;
  };

  rules::Translation translation_;
  std::unique_ptr<Minion> minion_;
  BatchBuilder builder_;
  std::vector<std::byte> flow_;
  std::vector<std::byte> row_;
  std::uint64_t refused_ = 0;
};

// A batch of flows can be larger than its batch of rows: then it goes in pieces. Should a later
// piece not be taken, the whole is offered again, which is harmless (sink.h).
absl::StatusOr<Position> TranslatingMinion::Apply(const BatchView& batch) {
  if (batch.table() != schema().table()) {
    return Error(absl::StatusCode::kInvalidArgument, "a batch of another table than {}",
                 schema().name());
  }
  builder_.Clear();
  std::uint64_t refused = 0;
  for (const RecordView record : batch) {
    const bool put = record.op == Op::kPut;
    if (translation_.Forward(put ? record.row : record.key, !put, flow_) != rules::Refusal::kNone) {
      ++refused;
      continue;
    }
    RecordView flow = record;
    flow.row = flow_;
    flow.key = std::span(flow_).first(FlowSchema().key_size());
    if (!builder_.AppendVersioned(flow)) {
      const absl::StatusOr<Position> taken = minion_->Apply(builder_.Draft());
      if (!taken.ok()) {
        return taken;
      }
      builder_.Clear();
      builder_.AppendVersioned(flow);
    }
  }
  // Also without a record left: the answer is the place where all before it is confirmed.
  absl::StatusOr<Position> taken = minion_->Apply(builder_.Draft());
  refused_ += taken.ok() ? refused : 0;
  return taken;
}

absl::StatusOr<rules::Translation> Compile(const StateSchema& from,
                                           const FlowTranslation& translation) {
  rules::FieldMapping fields = translation.fields;
  const auto find = [&fields](std::string_view name) {
    return std::ranges::find(fields, name, [](const auto& field) { return field.first; });
  };
  std::string wrong;
  const auto same = [&](std::string_view reply, std::string_view orig, bool assumed,
                        std::string_view assumption) {
    if (find(reply) != fields.end()) {
      return;
    }
    const auto source = find(orig);
    if (!assumed) {
      wrong += fmt::format("{}{}: say what it is, or assume \"{}\"", wrong.empty() ? "" : "\n",
                           reply, assumption);
    } else if (source != fields.end()) {
      const std::string text = source->second;
      fields.emplace_back(reply, text);
    }
  };
  same("reply_dst", "orig_src", translation.source_kept, "source_kept");
  same("reply_dport", "orig_sport", translation.source_kept, "source_kept");
  same("reply_sport", "orig_dport", translation.port_kept, "port_kept");
  if (find("reply_src") == fields.end()) {
    wrong += fmt::format("{}reply_src: expected: who answers", wrong.empty() ? "" : "\n");
  }
  if (!wrong.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "{}", wrong);
  }
  return rules::Translation::Compile(from, FlowSchema(), fields);
}

}  // namespace

absl::Status CheckFlowTranslation(const StateSchema& from, const FlowTranslation& translation) {
  return Compile(from, translation).status();
}

absl::StatusOr<std::unique_ptr<Minion>> NewTranslatingMinion(const StateSchema& from,
                                                             const FlowTranslation& translation,
                                                             std::unique_ptr<Minion> minion) {
  if (minion->schema().table() != FlowSchema().table()) {
    return Error(absl::StatusCode::kInvalidArgument, "the minion is for {}, not for {}",
                 minion->schema().name(), FlowSchema().name());
  }
  absl::StatusOr<rules::Translation> compiled = Compile(from, translation);
  if (!compiled.ok()) {
    return compiled.status();
  }
  return std::make_unique<TranslatingMinion>(*std::move(compiled), std::move(minion));
}

}  // namespace mimi
