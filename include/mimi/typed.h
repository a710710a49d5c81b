#ifndef MIMI_TYPED_H_
#define MIMI_TYPED_H_

/// \file
/// Rows from C++ structs: the struct's ordinary cereal `serialize` is the single source.
///
/// From it come the schema, the encoder and the decoder, and, with cereal's own archives, whatever
/// else cereal can do with a struct. Encoding and decoding compile to plain moves (bench
/// `record.encode_ns`).
///
///     struct LbFlow {
///       static constexpr std::string_view kTable = "lb.flow";
///       mimi::Ipv4 client_ip;
///       mimi::Port client_port;
///       mimi::Ipv4 backend_ip;
///
///       template <class Archive>
///       void serialize(Archive& ar) {
///         ar(mimi::Key(CEREAL_NVP(client_ip)), mimi::Key(CEREAL_NVP(client_port)),
///         CEREAL_NVP(backend_ip));
///       }
///     };
///
///     const StateSchema& schema = StateSchema::Of<LbFlow>();
///
/// What a struct needs: every field as CEREAL_NVP, key fields first and in Key(), fields of the
/// types in mimi/types.h, the unsigned integers, std::int64_t, double, bool, and one-byte enums
/// with EnumNames. Value fields take their default from the default-constructed struct. `kTable`
/// names the table and `kTableVersion` (1 if absent) the author's version; for a struct that cannot
/// have them, specialise TableOf, or name the table in SchemaOf. New fields are appended; nothing
/// else may change (schema.h).
///
/// Key() and Soft() do nothing in cereal's archives. There, addresses and Text are text in JSON and
/// XML, and bytes in the binary archives; text that is no address throws cereal::Exception, as
/// cereal does for all its own errors. For Bytes and times include <cereal/types/array.hpp> and
/// <cereal/types/chrono.hpp>, as everywhere with cereal. Nothing here feeds cereal with bytes from
/// outside, and neither should you.
///
/// Threads: any.
/// Lifetime: values.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

#if defined(__cpp_rtti)
#include <cereal/cereal.hpp>
#include <cereal/types/string.hpp>
#else
// cereal's archives need typeid. What our own need of it does not.
#include <cereal/access.hpp>
#include <cereal/details/helpers.hpp>
namespace cereal {
template <class T>
NameValuePair<T> make_nvp(const char* name, T&& value) {
  return {name, std::forward<T>(value)};
}
}  // namespace cereal
#define CEREAL_NVP(T) ::cereal::make_nvp(#T, T)
#endif

#include "mimi/internal/row_archives.h"
#include "mimi/internal/row_fields.h"
#include "mimi/schema.h"
#include "mimi/types.h"

namespace mimi {

/// Marks a field of the key.
template <class T>
auto Key(cereal::NameValuePair<T&> field) {
  return internal::MarkedField<internal::FieldRole::kKey, cereal::NameValuePair<T&>>{field};
}
/// Marks a value field that audits leave out (Field::soft).
template <class T>
auto Soft(cereal::NameValuePair<T&> field) {
  return internal::MarkedField<internal::FieldRole::kSoft, cereal::NameValuePair<T&>>{field};
}

/// The table that a struct belongs to.
template <class T>
struct TableOf {
  static constexpr std::string_view name() {
    static_assert(
        requires { std::string_view(T::kTable); },
        "mimi: which table? Give the struct `static constexpr std::string_view kTable`, or "
        "specialise mimi::TableOf");
    return T::kTable;
  }
  static constexpr std::uint32_t version() {
    if constexpr (requires { T::kTableVersion; }) {
      return T::kTableVersion;
    } else {
      return 1;
    }
  }
};

/// How a struct becomes a row and back.
template <class T>
struct TypedRow {
  /// Bytes of a row, and of its key.
  [[gnu::flatten]] static std::size_t size() { return Sizes().row_size; }
  [[gnu::flatten]] static std::size_t key_size() { return Sizes().key_size; }

  /// REQUIRES: size() bytes at `row`; key_size() bytes at `key`.
  [[gnu::flatten]] static void Encode(const T& value, std::byte* row) {
    internal::RowWriter<false> writer(row);
    internal::WalkConst(writer, value);
  }
  [[gnu::flatten]] static void EncodeKey(const T& value, std::byte* key) {
    internal::RowWriter<true> writer(key);
    internal::WalkConst(writer, value);
  }
  /// REQUIRES: size() bytes at `row`, none of them part of `*value`.
  [[gnu::flatten]] static void Decode(const std::byte* __restrict row, T* __restrict value) {
    internal::RowReader reader(row);
    internal::Walk(reader, *value);
  }

 private:
  static internal::SizeArchive Sizes() {
    internal::SizeArchive sizes;
    internal::WalkConst(sizes, T{});
    return sizes;
  }
};

/// Writes `value` as a row. False, and nothing written, when `row` has less than
/// TypedRow<T>::size() bytes.
template <class T>
[[nodiscard]] bool EncodeRow(const T& value, std::span<std::byte> row) {
  if (row.size() < TypedRow<T>::size()) {
    return false;
  }
  TypedRow<T>::Encode(value, row.data());
  return true;
}

/// The same for the key alone: what erases and lookups take.
template <class T>
[[nodiscard]] bool EncodeKey(const T& value, std::span<std::byte> key) {
  if (key.size() < TypedRow<T>::key_size()) {
    return false;
  }
  TypedRow<T>::EncodeKey(value, key.data());
  return true;
}

/// Reads a row. One that is shorter, from an older program, leaves the last fields at their
/// defaults; of a longer one, from a newer program, the rest is ignored. False when it ends within
/// a field or within the key (then `value` is not to be used). Enums and bools are taken as they
/// stand (StateSchema::CheckRow).
template <class T>
[[nodiscard]] bool DecodeRow(std::span<const std::byte> row, T* value) {
  if (row.size() >= TypedRow<T>::size()) [[likely]] {
    TypedRow<T>::Decode(row.data(), value);
    return true;
  }
  *value = T{};
  internal::ShortRowReader reader(row);
  internal::Walk(reader, *value);
  return reader.ok();
}

/// The schema of a struct, with the reason if it cannot be one. Builds it anew each time.
/// Errors: InvalidArgument, every mistake on a line of its own.
template <class T>
absl::StatusOr<StateSchema> SchemaOf(std::string_view table, std::uint32_t version) {
  StateSchema::Builder builder(table, version);
  internal::SchemaArchive archive(&builder);
  internal::WalkConst(archive, T{});
  return builder.Build();
}
template <class T>
absl::StatusOr<StateSchema> SchemaOf() {
  return SchemaOf<T>(TableOf<T>::name(), TableOf<T>::version());
}

namespace internal {
/// Ends the program with the reason when there is no schema. Never destroyed, so that it serves
/// other statics.
const StateSchema& KeepSchema(absl::StatusOr<StateSchema> schema);
}  // namespace internal

template <class T>
const StateSchema& StateSchema::Of() {
  static const StateSchema& schema = internal::KeepSchema(SchemaOf<T>());
  return schema;
}

}  // namespace mimi

#include "mimi/internal/cereal_forms.h"

#endif  // MIMI_TYPED_H_
