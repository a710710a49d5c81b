#include "src/rules/field_scan.h"

#include <algorithm>

#include "src/base/byte_set.h"
#include "src/rules/scan.h"

namespace mimi::rules {
namespace {

constexpr ByteSet kLabelEnds(":/(),");
constexpr ByteSet kBlankBytes(" \t");

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
    value->text = text.substr(at, size);
    if (!none) {
      values->present |= std::uint64_t{1} << op.slot;
    }
  }
  return {Refusal::kNone, at + size};
}

FieldScan ScanAddress(const Op& op, std::string_view text, std::size_t at, Values* values) {
  Value unwanted;
  Value* const value = op.slot == kNoSlot ? &unwanted : &values->at[op.slot];
  const std::string_view rest = text.substr(at);
  const std::size_t size = op.field == FieldKind::kIp     ? ScanIp(rest, &value->ip)
                           : op.field == FieldKind::kIpv4 ? ScanIpv4(rest, &value->ip)
                                                          : ScanIpv6(rest, &value->ip);
  if (size == 0) {
    return {Refusal::kBadAddress, MayBeCut(rest) ? text.size() : at};
  }
  value->kind = ValueKind::kIp;
  return Found(op, text, at, size, op.zero_is_none && IsNone(value->ip), value, values);
}

FieldScan ScanCount(const Op& op, std::string_view text, std::size_t at, Values* values) {
  Value unwanted;
  Value* const value = op.slot == kNoSlot ? &unwanted : &values->at[op.slot];
  const std::string_view rest = text.substr(at);
  std::size_t size = 0;
  Refusal refusal = Refusal::kBadNumber;
  switch (op.field) {
    case FieldKind::kPort:
      size = ScanPort(rest, &value->number);
      refusal = Refusal::kBadPort;
      break;
    case FieldKind::kHex:
      size = ScanHex(rest, &value->number);
      break;
    case FieldKind::kProtocol:
      size = ScanProtocol(rest, &value->number);
      refusal = Refusal::kUnknownWord;
      break;
    case FieldKind::kDuration:
      size = ScanDuration(rest, &value->number);
      break;
    default:
      size = ScanNumber(rest, op.max, &value->number);
      break;
  }
  if (size == 0) {
    return {refusal, at};
  }
  value->kind = ValueKind::kNumber;
  return Found(op, text, at, size, op.zero_is_none && value->number == 0, value, values);
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

// A comma or a blank is mostly near: std::string_view::find would call memchr.
std::size_t FindNear(std::string_view text, char byte) {
  std::size_t at = 0;
  while (at < text.size() && text[at] != byte) {
    ++at;
  }
  return at;
}

FieldScan ScanWords(const Op& op, std::string_view text, std::size_t at, Values* values) {
  const std::string_view rest = text.substr(at);
  const bool quoted = rest.starts_with('"');
  std::size_t size = 0;  // all that is taken
  if (op.field == FieldKind::kWord || (op.field == FieldKind::kQuoted && !quoted)) {
    size = kBlankBytes.FindIn(rest);
  } else if (quoted && op.field != FieldKind::kLabel && op.field != FieldKind::kInner) {
    const std::size_t end = QuoteEnd(rest, op.field == FieldKind::kCsv);
    if (end == std::string_view::npos) {
      return {Refusal::kTruncated, text.size()};
    }
    KeepText(op, text, at + 1, at + end, values);
    return {Refusal::kNone, at + end + 1};
  } else if (op.field == FieldKind::kInner) {
    size = FindNear(rest, ')');
    if (size == rest.size()) {
      return {Refusal::kForm, text.size()};
    }
  } else {
    size = op.field == FieldKind::kLabel ? kLabelEnds.FindIn(rest) : FindNear(rest, ',');
  }
  if (size == 0 && op.field != FieldKind::kCsv) {
    return {Refusal::kForm, at};
  }
  KeepText(op, text, at, at + size, values);
  return {Refusal::kNone, at + size};
}

FieldScan ScanEnum(const Program& program, const Op& op, std::string_view text, std::size_t at,
                   Values* values) {
  const std::string_view rest = text.substr(at);
  for (const EnumEntry& entry : program.enums[op.target].entries) {
    if (rest.size() < entry.word.size() ||
        !SameBytes(rest.data(), entry.word.data(), entry.word.size())) {
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
    case FieldKind::kIpv4:
    case FieldKind::kIpv6:
      return ScanAddress(op, text, at, values);
    case FieldKind::kPort:
    case FieldKind::kNumber:
    case FieldKind::kHex:
    case FieldKind::kProtocol:
    case FieldKind::kDuration:
      return ScanCount(op, text, at, values);
    case FieldKind::kEnum:
      return ScanEnum(program, op, text, at, values);
    case FieldKind::kWord:
    case FieldKind::kLabel:
    case FieldKind::kInner:
    case FieldKind::kQuoted:
    case FieldKind::kCsv:
      break;
  }
  return ScanWords(op, text, at, values);
}

}  // namespace mimi::rules
