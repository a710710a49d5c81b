#include "mimi/schema.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include <fmt/core.h>

#include "src/base/hash.h"
#include "src/base/status.h"
#include "src/state/field_types.h"

namespace mimi {
namespace {

// How a text shows a default: the bytes in hexadecimal, as they stand in the row.
std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  }
  return text;
}

std::string EnumText(const Field& field) {
  std::string text;
  for (const EnumValue& entry : field.values) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", entry.name, entry.value);
  }
  return text;
}

std::string_view Role(const Field& field) {
  return field.key ? "a key field" : "a value field";
}

// Two descriptions of the field at one place; what each line says fits behind "schema.field: ".
class Difference {
 public:
  Difference(std::string_view schema, std::string_view other_name)
      : schema_(schema), other_name_(other_name) {}

  void Compare(const Field& ours, const Field& theirs) {
    if (ours.name != theirs.name) {
      Add(ours.name, fmt::format("field {}", ours.name), fmt::format("field {}", theirs.name));
    } else if (ours.key != theirs.key) {
      Add(ours.name, Role(ours), Role(theirs));
    } else if (ours.type != theirs.type || ours.size != theirs.size) {
      Add(ours.name, internal::FieldTypeText(ours), internal::FieldTypeText(theirs));
    } else if (ours.values != theirs.values) {
      Add(ours.name, fmt::format("enum {}", EnumText(ours)),
          fmt::format("enum {}", EnumText(theirs)));
    } else if (!ours.key && ours.default_value != theirs.default_value) {
      Add(ours.name, fmt::format("by default {}", Hex(ours.default_value)),
          fmt::format("by default {}", Hex(theirs.default_value)));
    }
  }
  void Add(std::string_view field, std::string_view here, std::string_view there) {
    text_ += fmt::format("{}{}.{}: is {} here, {} in {}", text_.empty() ? "" : "; ", schema_, field,
                         here, there, other_name_);
  }
  const std::string& text() const { return text_; }

 private:
  std::string_view schema_;
  std::string_view other_name_;
  std::string text_;
};

}  // namespace

TableId TableIdOf(std::string_view table_name) {
  return HashName(table_name);
}

const Field* StateSchema::FindField(std::string_view field_name) const {
  const auto found = std::ranges::find(description_->fields, field_name, &Field::name);
  return found == description_->fields.end() ? nullptr : &*found;
}

const StateSchema::Prefix* StateSchema::FindPrefix(std::uint64_t wanted) const {
  // Nearly always the whole row, which is last.
  for (std::size_t i = description_->prefixes.size(); i-- > 0;) {
    if (description_->prefixes[i].fingerprint == wanted) {
      return &description_->prefixes[i];
    }
  }
  return nullptr;
}

absl::Status StateSchema::CheckCompatible(const StateSchema& other,
                                          std::string_view other_name) const {
  if (name() != other.name()) {
    return Error(absl::StatusCode::kFailedPrecondition, "{}: is a table of another name, {}, in {}",
                 name(), other.name(), other_name);
  }
  Difference difference(name(), other_name);
  const std::size_t common = std::min(fields().size(), other.fields().size());
  for (std::size_t i = 0; i < common; ++i) {
    difference.Compare(fields()[i], other.fields()[i]);
  }
  for (const Field& ours : fields().subspan(common)) {
    if (ours.key) {
      difference.Add(ours.name, Role(ours), "missing");
    }
  }
  for (const Field& theirs : other.fields().subspan(common)) {
    if (theirs.key) {
      difference.Add(theirs.name, "missing", Role(theirs));
    }
  }
  if (difference.text().empty()) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kFailedPrecondition, "{}", difference.text());
}

absl::Status StateSchema::CheckRow(std::span<const std::byte> row) const {
  const bool known_size = std::ranges::any_of(
      prefixes(), [&](const Prefix& prefix) { return prefix.row_size == row.size(); });
  if (!known_size) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "{}: a row of {} bytes, expected {} (or fewer, ending with a value field)", name(),
                 row.size(), row_size());
  }
  for (const Field& field : fields()) {
    if (field.offset >= row.size()) {
      break;
    }
    const std::string_view wrong =
        internal::CheckValue(field, row.subspan(field.offset, field.size));
    if (!wrong.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "{}.{}: {}", name(), field.name, wrong);
    }
  }
  return absl::OkStatus();
}

bool operator==(const StateSchema& a, const StateSchema& b) {
  return a.description_ == b.description_ || (a.name() == b.name() && a.version() == b.version() &&
                                              a.description_->fields == b.description_->fields);
}

}  // namespace mimi
