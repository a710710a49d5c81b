#ifndef MIMI_SCHEMA_H_
#define MIMI_SCHEMA_H_

/// \file
/// StateSchema: what one table of a middlebox's state looks like.
///
/// Every middlebox keeps its own kind of state, so the kind is data, not code: a name, typed
/// fields, and which of them are the key. A table has one schema. From the schema follows the
/// *row*: all fields, key first, packed without padding, integers little-endian, addresses in
/// network order. A row has a fixed size, and is copied, hashed and compared as bytes; nothing on
/// the hot path parses.
///
/// Three ways to one:
///
///     const StateSchema& a = StateSchema::Of<LbFlow>();                  // a C++ struct, typed.h
///     absl::StatusOr<StateSchema> b = StateSchema::Builder("lb.flow", 1)      // at run time
///         .Key("client_ip", FieldType::kIpv4).Key("client_port", FieldType::kPort)
///         .Value("backend_ip", FieldType::kIpv4).Build();
///     absl::StatusOr<StateSchema> c = StateSchema::FromToml(text, file);  // an operator's
///
/// Evolution: the key never changes; value fields may be appended, each with a default, and nothing
/// else may change. Schemas that differ only in how many of these fields they know are of one
/// *line*: rows of either length are understood by both (see fingerprint()).
///
/// Threads: immutable; any.
/// Lifetime: a value that shares its description; copying is cheap.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mimi {

/// The numbers are part of the format (FORMAT.md): never reuse one.
enum class FieldType : std::uint8_t {
  kU8 = 1,
  kU16 = 2,
  kU32 = 3,
  kU64 = 4,
  kI64 = 5,
  kF64 = 6,   ///< IEEE 754 binary64; never in a key
  kBool = 7,  ///< one byte, 0 or 1
  kIpv4 = 8,
  kIpv6 = 9,
  kIp = 10,  ///< either family, 16 bytes (types.h)
  kMac = 11,
  kPort = 12,        ///< u16
  kIpProtocol = 13,  ///< u8
  kTime = 14,        ///< i64, ns since 1970
  kDuration = 15,    ///< i64, ns
  kEnum = 16,        ///< u8; the schema lists the names
  kBytes = 17,       ///< bytes[N], 1 <= N <= 255
  kText = 18,        ///< text[N], 1 <= N <= 255, padded with NUL
};

/// "ipv4", "bytes", …: the word that TOML and JSON definitions use.
std::string_view FieldTypeName(FieldType type);

struct EnumValue {
  std::string name;
  std::uint8_t value = 0;
  friend bool operator==(const EnumValue&, const EnumValue&) = default;
};

/// One field. Names are [a-z][a-z0-9_]*, at most 63 bytes.
struct Field {
  std::string name;
  FieldType type = FieldType::kU8;
  std::uint16_t size = 0;    ///< bytes in the row
  std::uint16_t offset = 0;  ///< from the start of the row; set by Build()
  bool key = false;
  /// Left out when tables are audited: timers, protocol state, and whatever else may differ without
  /// harm.
  bool soft = false;
  std::vector<EnumValue> values;         ///< kEnum only
  std::vector<std::byte> default_value;  ///< `size` bytes; zeros unless given
  friend bool operator==(const Field&, const Field&) = default;
};

/// A table's name, hashed (FNV-1a, 64 bit): how a batch names its table.
using TableId = std::uint64_t;
TableId TableIdOf(std::string_view table_name);

inline constexpr std::size_t kMaxRowSize = 4096;  ///< bytes
inline constexpr std::size_t kMaxFields = 128;

class StateSchema {
 public:
  class Builder;

  /// The schema of a struct; built once, on the first call. Defined in typed.h. A struct that
  /// cannot be a row (a key field after a value field, two fields of one name, …) ends the program
  /// at this call with the reason: it is a mistake in the program text, found by its first test. To
  /// have the error as a value, call SchemaOf<T>() (typed.h).
  template <class T>
  static const StateSchema& Of();

  /// Reads a definition; `file` only names the text in errors ("lb.toml:4:10:
  /// schema.lb_flow.key.client_ip: unknown type "ip4", did you mean "ipv4"?"). A text holds one
  /// schema or several; these read the one. Defined in mimi::mimi, not in mimi::core.
  /// Errors: InvalidArgument.
  static absl::StatusOr<StateSchema> FromToml(std::string_view text,
                                              std::string_view file = "schema");
  static absl::StatusOr<StateSchema> FromJson(std::string_view text,
                                              std::string_view file = "schema");

  /// The whole schema as bytes, for stores to keep (FORMAT.md), and back. Parse treats `bytes` as
  /// hostile.
  /// Errors: InvalidArgument with the offset and the reason.
  std::string Serialize() const;
  static absl::StatusOr<StateSchema> Parse(std::string_view bytes);

  /// The definition as JSON that FromJson reads.
  std::string ToJson() const;

  /// Dotted lower-case words, at most 63 bytes: "lb.flow". Names that start with "mimi." are the
  /// library's.
  const std::string& name() const { return description_->name; }
  /// The author's own count; not compared.
  std::uint32_t version() const { return description_->version; }
  TableId table() const { return description_->table; }
  /// In row order: the key's fields, then the value's.
  std::span<const Field> fields() const { return description_->fields; }
  const Field* FindField(std::string_view name) const;
  std::size_t key_size() const { return description_->key_size; }
  std::size_t row_size() const { return description_->row_size; }

  /// 64-bit FNV-1a over the name, the key's fields and the value's fields in order (FORMAT.md), so
  /// that each prefix of the value fields has a fingerprint as well: prefix i belongs to rows that
  /// end after i value fields.
  std::uint64_t fingerprint() const { return description_->prefixes.back().fingerprint; }

  struct Prefix {
    std::uint64_t fingerprint = 0;
    std::uint16_t row_size = 0;  ///< bytes of a row that ends with this prefix
    friend bool operator==(const Prefix&, const Prefix&) = default;
  };
  /// From "key only" to all fields.
  std::span<const Prefix> prefixes() const { return description_->prefixes; }
  /// The prefix with this fingerprint; nullptr when it is not of this line, or longer than this
  /// schema.
  const Prefix* FindPrefix(std::uint64_t fingerprint) const;

  /// A row with every value field at its default and the key zero.
  std::span<const std::byte> default_row() const { return description_->default_row; }

  /// OK when both are of one line (either may be the longer). Else FailedPrecondition that names
  /// each difference: `lb.flow.backend_ip: is ipv4 here, ip in the store`.
  absl::Status CheckCompatible(const StateSchema& other,
                               std::string_view other_name = "the other") const;

  /// Whether a row's bytes can be what they claim: bools 0 or 1, enums listed, text padded with
  /// NUL. `row` may end with any prefix. Errors: InvalidArgument naming the field.
  absl::Status CheckRow(std::span<const std::byte> row) const;

  friend bool operator==(const StateSchema& a, const StateSchema& b);

 private:
  struct Description {
    std::string name;
    std::uint32_t version = 0;
    TableId table = 0;
    std::vector<Field> fields;
    std::size_t key_size = 0;
    std::size_t row_size = 0;
    std::vector<Prefix> prefixes;
    std::vector<std::byte> default_row;
  };
  explicit StateSchema(std::shared_ptr<const Description> description)
      : description_(std::move(description)) {}

  std::shared_ptr<const Description> description_;
};

/// Collects fields, then checks them all at once in Build(), which names every mistake by its path.
/// The key's fields come first. A builder is used up by Build().
class StateSchema::Builder {
 public:
  Builder(std::string_view name, std::uint32_t version);

  /// `size` is N of bytes[N] and text[N], and must be 0 for every other type.
  Builder& Key(std::string_view name, FieldType type, std::size_t size = 0);
  Builder& Value(std::string_view name, FieldType type, std::size_t size = 0);
  /// These change the field added last.
  Builder& Default(std::span<const std::byte> encoded);
  Builder& Enum(std::vector<EnumValue> values);
  Builder& Soft();

  /// Errors: InvalidArgument; every mistake on a line of its own.
  absl::StatusOr<StateSchema> Build();

 private:
  Builder& Add(std::string_view name, FieldType type, std::size_t size, bool key);
  Field* Last();
  std::shared_ptr<const Description> Describe();

  std::string name_;
  std::uint32_t version_;
  std::vector<Field> fields_;
  bool misplaced_ = false;  // Default, Enum or Soft came before any field
};

}  // namespace mimi

#endif  // MIMI_SCHEMA_H_
