#ifndef MIMI_JSON_H_
#define MIMI_JSON_H_

/// \file
/// Rows and records as JSON, both ways: for people, for other tools, and for the paper's
/// interchange.
///
///     std::string text = RowToJson(schema, row);
///     // {"client_ip":"198.51.100.7","client_port":40000,"backend_ip":"10.0.0.5"}
///     absl::StatusOr<std::vector<std::byte>> row = RowFromJson(schema, text);
///
/// One object, a member for each field. Integers, ports and floating-point numbers are numbers
/// ("nan", "inf", "-inf" where JSON has none), bool is true or false, addresses, enums and text are
/// strings, bytes are hexadecimal digits, a time is "2023-11-14T22:13:20.5Z" and a duration "250ms"
/// (both also read as a number of nanoseconds), ip_protocol is "tcp", "udp", "icmp", "icmpv6",
/// "sctp" or its number. Integers are written with all their digits; readers that keep numbers as
/// doubles lose those above 2^53.
///
/// JSON costs hundreds of times what a packed row costs (bench
/// `record.json_encode_ns`): it is for the
/// edges, never between a pair's roles.
///
/// Defined in mimi::mimi, not in mimi::core.
///
/// Threads: any.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "mimi/record.h"
#include "mimi/schema.h"

namespace mimi {

/// A longer text is refused unread.
inline constexpr std::size_t kMaxJsonRowSize = std::size_t{256} * 1024;  ///< bytes

/// Every field that `row` holds; it may end with any prefix. Never fails: an enum value that is not
/// listed appears as its number, what is no UTF-8 as U+FFFD (CheckRow tells).
std::string RowToJson(const StateSchema& schema, std::span<const std::byte> row);

/// A whole row. The key's fields must all be there; a value field that is not has its default.
/// Members that are no fields, or come twice, are refused: a misspelt name must not pass for a
/// default.
/// Errors: InvalidArgument, "row:1:15: lb.flow.client_ip: expected an IPv4 address, got …", a line
/// for each.
absl::StatusOr<std::vector<std::byte>> RowFromJson(const StateSchema& schema,
                                                   std::string_view text);

/// A record that owns its bytes.
struct OwnedRecord {
  Op op = Op::kPut;
  std::vector<std::byte> bytes;  ///< the whole row of a put, the key of an erase
  Origin origin = 0;
  Version version;

  /// Valid as long as this is. REQUIRES: made for a schema with this key size.
  RecordView view(std::size_t key_size) const {
    return {op, bytes, std::span<const std::byte>(bytes).first(key_size), origin, version};
  }
};

/// {"op":"put","origin":"00f1…","term":7,"sequence":41,"row":{…}}; an erase has "key" in place of
/// "row", with the key's fields. The origin is 16 hexadecimal digits.
std::string RecordToJson(const StateSchema& schema, const RecordView& record);

/// Errors: InvalidArgument as above. op is "put" or "erase"; origin, term and sequence are 0 when
/// left out.
absl::StatusOr<OwnedRecord> RecordFromJson(const StateSchema& schema, std::string_view text);

}  // namespace mimi

#endif  // MIMI_JSON_H_
