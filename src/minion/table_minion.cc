#include "mimi/builtin/table_minion.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace mimi {
namespace {

class TableMinion final : public Minion {
 public:
  TableMinion(Table& table, Loop& loop, TableMinionOptions options)
      : table_(table), loop_(loop), options_(std::move(options)) {}
  ~TableMinion() override { *self_ = nullptr; }

  const StateSchema& schema() const override { return table_.schema(); }

  absl::StatusOr<Position> Apply(const BatchView& batch) override { return table_.Apply(batch); }
  Position confirmed() const override { return table_.confirmed(); }

  void Warm(StatusCallback done) override {
    Answer(options_.on_warm, std::move(done), std::nullopt);
  }
  void Activate(StatusCallback done) override {
    Answer(options_.on_activate, std::move(done), true);
  }
  void Retire(StatusCallback done) override { Answer(options_.on_retire, std::move(done), false); }

  absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) override {
    const auto steps = static_cast<std::uint32_t>(std::min<std::size_t>(budget, 1U << 20));
    walk_at_ =
        table_.Walk(walk_at_, steps, [&](std::span<const std::byte> row) { visitor.Row(row); });
    return walk_at_ == 0;
  }

  MinionState state() const override {
    const TableState table = table_.state();
    return {.healthy = true,
            .reason = table.table_full > 0 ? "rows were left out: the table is at max_rows" : "",
            .active = active_,
            .rows = table.rows,
            .capacity = 0,
            .refused = table.table_full};
  }

  void Collect(MetricList& metrics) const override {
    const TableState table = table_.state();
    const auto label = [this](std::string_view name, std::string_view help, std::uint64_t value) {
      return GaugeMetric(name, help, static_cast<double>(value),
                         {{"table", std::string(table_.schema().name())}});
    };
    metrics.push_back(label("mimi_table_rows", "Rows held", table.rows));
    metrics.push_back(
        label("mimi_table_memory_bytes", "Memory of rows and index", table.memory_bytes));
  }

 private:
  void Answer(const std::function<absl::Status()>& work, StatusCallback done,
              std::optional<bool> active) {
    loop_.Post([self = self_, &work, done = std::move(done), active] {
      if (*self == nullptr) {
        return;
      }
      const absl::Status status = work ? work() : absl::OkStatus();
      if (*self != nullptr && status.ok()) {
        (*self)->active_ = active.value_or((*self)->active_);
      }
      done(status);
    });
  }

  Table& table_;
  Loop& loop_;
  TableMinionOptions options_;
  std::shared_ptr<TableMinion*> self_ = std::make_shared<TableMinion*>(this);
  bool active_ = false;
  std::uint32_t walk_at_ = 0;
};

}  // namespace

std::unique_ptr<Minion> NewTableMinion(Table& table, Loop& loop, TableMinionOptions options) {
  return std::make_unique<TableMinion>(table, loop, std::move(options));
}

}  // namespace mimi
