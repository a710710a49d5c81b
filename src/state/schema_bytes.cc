// Schemas as bytes: what stores keep. The grammar is in FORMAT.md.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mimi/schema.h"

#include "src/base/bytes.h"
#include "src/base/status.h"
#include "src/state/field_types.h"

namespace mimi {
namespace {

constexpr std::string_view kMagic = "MIMS";
constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kKeyFlag = 1;
constexpr std::uint8_t kSoftFlag = 2;

absl::Status Refuse(const Puller& at, std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "schema bytes, offset {}: {}", at.offset(),
               what);
}

absl::Status ReadEnum(Puller* in, StateSchema::Builder* builder) {
  std::uint16_t count;
  if (!in->Le(&count)) {
    return Refuse(*in, "truncated in an enum");
  }
  if (count > 256) {
    return Refuse(*in, "an enum of more than 256 values");
  }
  std::vector<EnumValue> values;
  for (std::uint16_t i = 0; i < count; ++i) {
    EnumValue entry;
    std::string_view name;
    if (!in->Le(&entry.value) || !in->Text8(&name)) {
      return Refuse(*in, "truncated in an enum");
    }
    entry.name = name;
    values.push_back(std::move(entry));
  }
  builder->Enum(std::move(values));
  return absl::OkStatus();
}

absl::Status ReadField(Puller* in, StateSchema::Builder* builder) {
  std::string_view name;
  std::uint8_t number;
  std::uint8_t flags;
  std::uint16_t size;
  if (!in->Text8(&name) || !in->Le(&number) || !in->Le(&flags) || !in->Le(&size)) {
    return Refuse(*in, "truncated in a field");
  }
  const internal::FieldTypeInfo* const info =
      internal::FindFieldType(static_cast<FieldType>(number));
  if (info == nullptr) {
    return Refuse(*in, "a field of unknown type");
  }
  if ((flags & ~(kKeyFlag | kSoftFlag)) != 0) {
    return Refuse(*in, "a field with unknown flags");
  }
  if (info->size != 0 && size != info->size) {
    return Refuse(*in, "a field whose size is not its type's");
  }
  const std::size_t builder_size = info->size == 0 ? size : 0;
  const bool key = (flags & kKeyFlag) != 0;
  if (key) {
    builder->Key(name, info->type, builder_size);
  } else {
    builder->Value(name, info->type, builder_size);
  }
  if ((flags & kSoftFlag) != 0) {
    builder->Soft();
  }
  if (info->type == FieldType::kEnum) {
    if (absl::Status read = ReadEnum(in, builder); !read.ok()) {
      return read;
    }
  }
  if (!key) {
    std::span<const std::byte> value;
    if (!in->Take(size, &value)) {
      return Refuse(*in, "truncated in a default");
    }
    builder->Default(value);
  }
  return absl::OkStatus();
}

}  // namespace

std::string StateSchema::Serialize() const {
  std::string out(kMagic);
  AppendLe(&out, kFormat);
  AppendLe(&out, std::uint8_t{0});
  AppendLe(&out, static_cast<std::uint16_t>(fields().size()));
  AppendLe(&out, version());
  AppendText8(&out, name());
  for (const Field& field : fields()) {
    internal::AppendField(&out, field, /*with_soft=*/true);
  }
  return out;
}

absl::StatusOr<StateSchema> StateSchema::Parse(std::string_view bytes) {
  Puller in(bytes);
  std::span<const std::byte> magic;
  std::uint8_t format;
  std::uint8_t zero;
  std::uint16_t count;
  std::uint32_t version;
  std::string_view name;
  if (!in.Take(kMagic.size(), &magic) || AsText(magic) != kMagic) {
    return Refuse(in, "does not start with MIMS");
  }
  if (!in.Le(&format) || !in.Le(&zero) || format != kFormat || zero != 0) {
    return Refuse(in, "not format 1");
  }
  if (!in.Le(&count) || !in.Le(&version) || !in.Text8(&name)) {
    return Refuse(in, "truncated in the header");
  }
  if (count > kMaxFields) {
    return Refuse(in, "too many fields");
  }
  Builder builder(name, version);
  for (std::uint16_t i = 0; i < count; ++i) {
    if (absl::Status read = ReadField(&in, &builder); !read.ok()) {
      return read;
    }
  }
  if (!in.done()) {
    return Refuse(in, "bytes after the last field");
  }
  return builder.Build();
}

}  // namespace mimi
