#include "src/state/row.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "src/base/bytes.h"

namespace mimi {

void ExtendRow(const StateSchema& schema, std::span<const std::byte> row,
               std::span<const std::byte> stored, std::span<std::byte> out) {
  assert(row.size() >= schema.key_size() && out.size() >= schema.row_size());
  std::size_t done = 0;
  for (const std::span<const std::byte> from : {row, stored, schema.default_row()}) {
    const std::size_t end = std::min(from.size(), schema.row_size());
    if (end > done) {
      std::memmove(out.data() + done, from.data() + done, end - done);
      done = end;
    }
  }
}

std::uint64_t FieldNumber(const Field& field, std::span<const std::byte> row) {
  assert(field.offset + std::size_t{field.size} <= row.size());
  return ValueNumber(row.subspan(field.offset, field.size));
}

std::uint64_t ValueNumber(std::span<const std::byte> value) {
  switch (value.size()) {
    case 1:
      return LoadLe<std::uint8_t>(value.data());
    case 2:
      return LoadLe<std::uint16_t>(value.data());
    case 4:
      return LoadLe<std::uint32_t>(value.data());
    case 8:
      return LoadLe<std::uint64_t>(value.data());
    default:
      return 0;
  }
}

}  // namespace mimi
