#ifndef MIMI_SRC_STATE_ROW_H_
#define MIMI_SRC_STATE_ROW_H_

// Rows as bytes: what the parts that handle rows of any schema share.
//
// Threads: any.

#include <cstddef>
#include <cstdint>
#include <span>

#include "mimi/schema.h"

namespace mimi {

/// Makes a whole row of `schema` out of one that an older program wrote: what `row` lacks comes
/// from `stored`, the row that is there now (which may be short as well, or empty for none), and
/// then from the defaults. So an older program between two newer ones loses nothing. A longer `row`
/// is cut. REQUIRES: row.size() >= schema.key_size(), out.size() >= schema.row_size(); out overlaps
/// neither of the others, except that it may begin where `row` or `stored` begins.
void ExtendRow(const StateSchema& schema, std::span<const std::byte> row,
               std::span<const std::byte> stored, std::span<std::byte> out);

/// The number in a field of type u8 to u64, bool, port, ip_protocol or enum; of i64, time and
/// duration the bits. REQUIRES: the row holds the field.
std::uint64_t FieldNumber(const Field& field, std::span<const std::byte> row);

/// The same of the field's bytes alone: 1, 2, 4 or 8 of them, little-endian.
std::uint64_t ValueNumber(std::span<const std::byte> value);

}  // namespace mimi

#endif  // MIMI_SRC_STATE_ROW_H_
