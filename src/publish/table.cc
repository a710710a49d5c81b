#include "mimi/table.h"

#include "src/publish/table_core.h"

namespace mimi {

Table::Table(const StateSchema& schema, const TableOptions& options, const Clock& clock)
    : core_(std::make_unique<internal::TableCore>(schema, options, clock)) {
}

Table::~Table() = default;

absl::StatusOr<Position> Table::Apply(const BatchView& batch) {
  return core_->Apply(batch);
}

Position Table::confirmed() const {
  return core_->applied();
}

TableState Table::state() const {
  return core_->state();
}

const StateSchema& Table::schema() const {
  return core_->schema();
}

bool Table::Lookup(std::span<const std::byte> key, std::span<std::byte> row) const {
  return key.size() == schema().key_size() && row.size() == schema().row_size() &&
         core_->Lookup(key.data(), row.data());
}

std::size_t Table::LookupMany(std::span<const std::byte> keys, std::span<std::byte> rows,
                              std::span<bool> found) const {
  if (keys.size() != found.size() * schema().key_size() ||
      rows.size() != found.size() * schema().row_size()) {
    return 0;
  }
  return core_->LookupMany(keys.data(), rows.data(), found);
}

std::uint32_t Table::Walk(std::uint32_t from, std::uint32_t steps,
                          const std::function<void(std::span<const std::byte> row)>& visit) {
  return core_->Walk(from, steps, visit);
}

std::size_t Table::size() const {
  return core_->size();
}

}  // namespace mimi
