#include "src/rules/field_scan.h"

#include "src/base/find_byte.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

// Whether an address begins here that the end of the text cuts off.
bool MayBeCut(std::string_view rest) {
  return rest.find_first_not_of("0123456789abcdefABCDEF.:[") == std::string_view::npos;
}

bool IsNone(const Ip& ip) {
  return ip == Ip() || ip == Ip(Ipv4{});
}

FieldScan Found(const Op& op, std::string_view text, std::size_t at, std::size_t size, bool none,
                Value* value, Values* values) {
  if (op.slot != kNoSlot) {
    value->text = {text.data() + at, size};
    if (!none) {
      values->present |= std::uint64_t{1} << op.slot;
    }
  }
  return {Refusal::kNone, at + size};
}

using ScansAddress = std::size_t (*)(std::string_view, Ip*);

template <ScansAddress kScan>
FieldScan ScanAddress(const Op& op, std::string_view text, std::size_t at, Values* values) {
  Value unwanted;
  Value* const value = op.slot == kNoSlot ? &unwanted : &values->at[op.slot];
  const std::string_view rest(text.data() + at, text.size() - at);
  const std::size_t size = kScan(rest, &value->ip);
  if (size == 0) {
    return {Refusal::kBadAddress, MayBeCut(rest) ? text.size() : at};
  }
  value->kind = ValueKind::kIp;
  return Found(op, text, at, size, op.zero_is_none && IsNone(value->ip), value, values);
}

using ScansNumber = std::size_t (*)(std::string_view, std::uint64_t*);

FieldScan ScanCount(const Op& op, std::string_view text, std::size_t at, ScansNumber scan,
                    Refusal refusal, Values* values) {
  std::uint64_t number = 0;
  const std::string_view rest(text.data() + at, text.size() - at);
  const std::size_t size =
      scan == nullptr ? ScanNumber(rest, op.max, &number) : scan(rest, &number);
  if (size == 0) {
    return {refusal, at};
  }
  if (op.slot == kNoSlot) {
    return {Refusal::kNone, at + size};
  }
  Value& value = values->at[op.slot];
  value.kind = ValueKind::kNumber;
  value.number = number;
  return Found(op, text, at, size, op.zero_is_none && number == 0, &value, values);
}

std::size_t QuoteEnd(std::string_view rest, bool doubled) {
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '\\' && !doubled) {
      ++i;
    } else if (rest[i] == '"') {
      if (!doubled || i + 1 == rest.size() || rest[i + 1] != '"') {
        return i;
      }
      ++i;
    }
  }
  return std::string_view::npos;
}

FieldScan ScanQuoted(const Op& op, std::string_view text, std::size_t at, Values* values) {
  const std::size_t end = QuoteEnd(text.substr(at), op.field == FieldKind::kCsv);
  if (end == std::string_view::npos) {
    return {Refusal::kTruncated, text.size()};
  }
  KeepText(op, text, at + 1, at + end, values);
  return {Refusal::kNone, at + end + 1};
}

// Text from `at` to `end`.
FieldScan ScanTo(const Op& op, std::string_view text, std::size_t at, std::size_t end,
                 Values* values) {
  if (end == at && op.field != FieldKind::kCsv) {
    return {Refusal::kForm, at};
  }
  KeepText(op, text, at, end, values);
  return {Refusal::kNone, end};
}

FieldScan ScanEnum(const Program& program, const Op& op, std::string_view text, std::size_t at,
                   Values* values) {
  const std::string_view rest(text.data() + at, text.size() - at);
  for (const EnumEntry& entry : program.enums[op.target].entries) {
    if (!rest.starts_with(entry.word)) {
      continue;
    }
    KeepText(op, text, at, at + entry.word.size(), values);
    if (op.slot != kNoSlot) {
      Value& value = values->at[op.slot];
      value.kind = entry.kind;
      value.number = entry.number;
      value.ip = entry.ip;
      if (entry.kind == ValueKind::kText) {
        value.text = entry.name;
      }
    }
    return {Refusal::kNone, at + entry.word.size()};
  }
  return {Refusal::kUnknownWord, at};
}

}  // namespace

FieldScan ScanField(const Program& program, const Op& op, std::string_view text, std::size_t at,
                    Values* values) {
  switch (op.field) {
    case FieldKind::kIp:
      return ScanAddress<ScanIp>(op, text, at, values);
    case FieldKind::kIpv4:
      return ScanAddress<ScanIpv4>(op, text, at, values);
    case FieldKind::kIpv6:
      return ScanAddress<ScanIpv6>(op, text, at, values);
    case FieldKind::kPort:
      return ScanCount(op, text, at, ScanPort, Refusal::kBadPort, values);
    case FieldKind::kNumber:
      return ScanCount(op, text, at, nullptr, Refusal::kBadNumber, values);
    case FieldKind::kHex:
      return ScanCount(op, text, at, ScanHex, Refusal::kBadNumber, values);
    case FieldKind::kProtocol:
      return ScanCount(op, text, at, ScanProtocol, Refusal::kUnknownWord, values);
    case FieldKind::kDuration:
      return ScanCount(op, text, at, ScanDuration, Refusal::kBadNumber, values);
    case FieldKind::kWord:
      return ScanTo(op, text, at, FindByte<' ', '\t'>(text, at), values);
    case FieldKind::kLabel:
      return ScanTo(op, text, at, FindByte<':', '/', '(', ')', ','>(text, at), values);
    case FieldKind::kQuoted:
      if (text.substr(at).starts_with('"')) {
        return ScanQuoted(op, text, at, values);
      }
      return ScanTo(op, text, at, FindByte<' ', '\t'>(text, at), values);
    case FieldKind::kCsv:
      if (text.substr(at).starts_with('"')) {
        return ScanQuoted(op, text, at, values);
      }
      return ScanTo(op, text, at, FindByte<','>(text, at), values);
    case FieldKind::kInner: {
      const std::size_t end = FindByte<')'>(text, at);
      return end == text.size() ? FieldScan{Refusal::kForm, end}
                                : ScanTo(op, text, at, end, values);
    }
    case FieldKind::kEnum:
      break;
  }
  return ScanEnum(program, op, text, at, values);
}

}  // namespace mimi::rules
