#ifndef MIMI_INTERNAL_ROW_ARCHIVES_H_
#define MIMI_INTERNAL_ROW_ARCHIVES_H_

// The archives that walk a struct's cereal `serialize` and make rows of it. Part of typed.h, which
// includes cereal first.
//
// They share nothing with cereal's own archives: no base class, no dispatch tables, no state but a
// pointer into the row. So the compiler sees a sequence of plain moves (bench `record.encode_ns`).

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "mimi/internal/row_fields.h"
#include "mimi/schema.h"

namespace mimi::internal {

enum class FieldRole : std::uint8_t { kValue, kKey, kSoft };

/// What Key() and Soft() return. To every archive but ours it is the field itself.
template <FieldRole kRole, class Pair>
struct MarkedField {
  Pair pair;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(pair);
  }
};

/// Gives each field of ar(a, b, …) and ar & a to Self::Visit<role>(name, value).
template <class Self>
class RowArchive {
 public:
  template <class... Fields>
  Self& operator()(Fields&&... fields) {
    (Each(fields), ...);
    return self();
  }
  template <class Field>
  Self& operator&(Field&& field) {
    Each(field);
    return self();
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }

  template <class T>
  void Each(const cereal::NameValuePair<T&>& field) {
    self().template Visit<FieldRole::kValue>(field.name, field.value);
  }
  template <FieldRole kRole, class T>
  void Each(const MarkedField<kRole, cereal::NameValuePair<T&>>& field) {
    self().template Visit<kRole>(field.pair.name, field.pair.value);
  }
  template <class T>
  void Each(const T&) {
    static_assert(kNever<T>, "mimi: every field of a row needs its name: ar(CEREAL_NVP(field))");
  }
};

template <class T>
using FieldFor = FieldOf<std::remove_cv_t<T>>;

/// Collects the fields of a default-constructed struct in a Builder.
class SchemaArchive : public RowArchive<SchemaArchive> {
 public:
  explicit SchemaArchive(StateSchema::Builder* builder) : builder_(builder) {}
  using is_loading = std::false_type;
  using is_saving = std::true_type;

  template <FieldRole kRole, class T>
  void Visit(const char* name, const T& value) {
    using Field = FieldFor<T>;
    if constexpr (kRole == FieldRole::kKey) {
      builder_->Key(name, Field::kType, Field::kVariableSize);
    } else {
      std::byte encoded[Field::kSize];
      Field::Store(encoded, value);
      builder_->Value(name, Field::kType, Field::kVariableSize).Default(encoded);
    }
    if constexpr (kRole == FieldRole::kSoft) {
      builder_->Soft();
    }
    if constexpr (Field::kType == FieldType::kEnum) {
      builder_->Enum(Field::Values());
    }
  }

 private:
  StateSchema::Builder* builder_;
};

/// Adds up the fields' sizes; the compiler folds it to a constant.
class SizeArchive : public RowArchive<SizeArchive> {
 public:
  using is_loading = std::false_type;
  using is_saving = std::true_type;

  template <FieldRole kRole, class T>
  void Visit(const char*, const T&) {
    row_size += FieldFor<T>::kSize;
    key_size += kRole == FieldRole::kKey ? FieldFor<T>::kSize : 0;
  }

  std::size_t row_size = 0;
  std::size_t key_size = 0;
};

/// Writes the row, or its key only.
template <bool kKeyOnly>
class RowWriter : public RowArchive<RowWriter<kKeyOnly>> {
 public:
  explicit RowWriter(std::byte* row) : at_(row) {}
  using is_loading = std::false_type;
  using is_saving = std::true_type;

  template <FieldRole kRole, class T>
  void Visit(const char*, const T& value) {
    if constexpr (!kKeyOnly || kRole == FieldRole::kKey) {
      FieldFor<T>::Store(at_, value);
      at_ += FieldFor<T>::kSize;
    }
  }

 private:
  std::byte* at_;
};

/// Reads a row that is known to hold all fields.
class RowReader : public RowArchive<RowReader> {
 public:
  explicit RowReader(const std::byte* row) : at_(row) {}
  using is_loading = std::true_type;
  using is_saving = std::false_type;

  template <FieldRole kRole, class T>
  void Visit(const char*, T& value) {
    FieldFor<T>::Load(at_, &value);
    at_ += FieldFor<T>::kSize;
  }

 private:
  const std::byte* at_;
};

/// Reads a row that ends with any value field, as an older program writes it.
class ShortRowReader : public RowArchive<ShortRowReader> {
 public:
  explicit ShortRowReader(std::span<const std::byte> row) : rest_(row) {}
  using is_loading = std::true_type;
  using is_saving = std::false_type;

  template <FieldRole kRole, class T>
  void Visit(const char*, T& value) {
    constexpr std::size_t kSize = FieldFor<T>::kSize;
    if (rest_.size() >= kSize) {
      FieldFor<T>::Load(rest_.data(), &value);
      rest_ = rest_.subspan(kSize);
    } else if (kRole == FieldRole::kKey || !rest_.empty()) {
      ok_ = false;  // without its whole key, or cut within a field
    }
  }
  bool ok() const { return ok_; }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

template <class Archive, class T>
concept HasMemberSerialize = requires(Archive& ar, T& value) {
  cereal::access::member_serialize(ar, value);
};

/// Calls the struct's own serialize, a member (private ones befriend cereal::access) or a function
/// beside it.
template <class Archive, class T>
inline void Walk(Archive& ar, T& value) {
  if constexpr (HasMemberSerialize<Archive, T>) {
    cereal::access::member_serialize(ar, value);
  } else {
    CEREAL_SERIALIZE_FUNCTION_NAME(ar, value);
  }
}

/// cereal's contract: serialize() is not const, but does not write when it saves.
template <class Archive, class T>
inline void WalkConst(Archive& ar, const T& value) {
  Walk(ar, const_cast<T&>(value));
}

}  // namespace mimi::internal

#endif  // MIMI_INTERNAL_ROW_ARCHIVES_H_
