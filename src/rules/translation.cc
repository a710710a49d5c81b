#include "src/rules/translation.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/rules/row_writer.h"

namespace mimi::rules {
namespace {

bool IsAddress(FieldType type) {
  return type == FieldType::kIp || type == FieldType::kIpv4 || type == FieldType::kIpv6;
}

// What can never fit, whatever the row says.
bool MayFit(const Field& from, const Field& to) {
  if (from.type == to.type) {
    return from.type == FieldType::kEnum ? from.values == to.values : from.size <= to.size;
  }
  if (IsAddress(from.type) || IsAddress(to.type)) {
    const bool both = IsAddress(from.type) && IsAddress(to.type);
    return both && (from.type == FieldType::kIp || to.type == FieldType::kIp);
  }
  constexpr FieldType kNumbers[] = {FieldType::kU8,  FieldType::kU16,  FieldType::kU32,
                                    FieldType::kU64, FieldType::kPort, FieldType::kIpProtocol,
                                    FieldType::kBool};
  const auto number = [&](FieldType type) {
    return std::ranges::find(kNumbers, type) != std::end(kNumbers);
  };
  return number(from.type) && number(to.type);
}

std::vector<std::string_view> Names(const StateSchema& schema) {
  std::vector<std::string_view> names;
  for (const Field& field : schema.fields()) {
    names.push_back(field.name);
  }
  return names;
}

}  // namespace

absl::StatusOr<Translation> Translation::Compile(const StateSchema& from, const StateSchema& to,
                                                 const FieldMapping& mapping) {
  Translation made(from, to);
  std::string wrong;
  const auto refuse = [&wrong](std::string_view field, std::string_view what) {
    wrong += fmt::format("{}{}: {}", wrong.empty() ? "" : "\n", field, what);
  };
  std::set<std::string_view> given;
  for (const auto& [name, text] : mapping) {
    Move move;
    move.to = made.to_.FindField(name);
    if (move.to == nullptr) {
      refuse(name, fmt::format("{} has no such field{}", to.name(), DidYouMean(name, Names(to))));
      continue;
    }
    given.insert(move.to->name);
    if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
      const std::string source = text.substr(1, text.size() - 2);
      move.from = made.from_.FindField(source);
      if (move.from == nullptr) {
        refuse(name, fmt::format("{} has no field \"{}\"{}", from.name(), source,
                                 DidYouMean(source, Names(from))));
      } else if (!MayFit(*move.from, *move.to)) {
        refuse(name, fmt::format("is {}, which {} ({}) cannot be", FieldTypeName(move.to->type),
                                 source, FieldTypeName(move.from->type)));
      } else if (move.to->key && !move.from->key) {
        refuse(name,
               fmt::format("is in the key, and {} is not in the key of {}", source, from.name()));
      }
    } else if (!ConstantFor(*move.to, text, &move.constant)) {
      refuse(name, fmt::format("is {}, which \"{}\" is not; a field of {} is {{name}}",
                               FieldTypeName(move.to->type), text, from.name()));
    } else {
      move.text = text;
    }
    made.moves_.push_back(std::move(move));
  }
  for (const Field& field : made.to_.fields()) {
    if (field.key && !given.contains(field.name) && field.name != "zone") {
      refuse(field.name, "expected: it is in the key");
    }
  }
  for (const Field& field : made.from_.fields()) {
    const bool used = std::ranges::any_of(
        made.moves_, [&field](const Move& move) { return move.from == &field; });
    made.reversible_ = made.reversible_ && (used || field.soft);
  }
  if (!wrong.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "{}", wrong);
  }
  return made;
}

Refusal Translation::Forward(std::span<const std::byte> from, bool key_only,
                             std::span<std::byte> to) const {
  std::memcpy(to.data(), to_.default_row().data(), key_only ? to_.key_size() : to_.row_size());
  for (const Move& move : moves_) {
    if (key_only && !move.to->key) {
      continue;
    }
    Value value;
    if (move.from == nullptr) {
      value = move.constant;
      value.text = move.text;
    } else if (std::size_t{move.from->offset} + move.from->size > from.size()) {
      continue;  // a shorter row of an older program: the default stays
    } else {
      value = ReadField(*move.from, from);
    }
    if (const Refusal bad = WriteField(*move.to, value, to); bad != Refusal::kNone) {
      return bad;
    }
  }
  return Refusal::kNone;
}

bool Translation::Back(std::span<const std::byte> to, std::span<std::byte> from) const {
  std::memcpy(from.data(), from_.default_row().data(), from_.row_size());
  for (const Move& move : moves_) {
    const Value value = ReadField(*move.to, to);
    if (move.from == nullptr) {
      Value wanted = move.constant;
      wanted.text = move.text;
      if (!move.to->soft && !(value == wanted)) {
        return false;
      }
    } else if (WriteField(*move.from, value, from) != Refusal::kNone) {
      return false;
    }
  }
  return true;
}

}  // namespace mimi::rules
