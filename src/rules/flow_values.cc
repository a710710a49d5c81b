#include "src/rules/flow_values.h"

#include <optional>

namespace mimi::rules {
namespace {

constexpr std::uint64_t kIcmp = 1;
constexpr std::uint64_t kIcmpV6 = 58;

Value Number(std::uint64_t number) {
  Value value;
  value.kind = ValueKind::kNumber;
  value.number = number;
  return value;
}

std::optional<std::uint64_t> NumberAt(const Values& values, std::uint8_t slot) {
  if (slot == kNoSlot || !values.has(slot) || values.at[slot].kind != ValueKind::kNumber) {
    return std::nullopt;
  }
  return values.at[slot].number;
}

bool IsPortless(std::uint64_t protocol) {
  constexpr std::uint64_t kWithPorts[] = {6, 17, 33, 132, 136};
  for (const std::uint64_t known : kWithPorts) {
    if (protocol == known) {
      return false;
    }
  }
  return true;
}

void SetIfMissing(std::uint8_t slot, const Value& value, Values* values) {
  if (!values->has(slot)) {
    values->Set(slot, value);
  }
}

void Inverse(std::uint8_t from, std::uint8_t to, Values* values) {
  if (values->has(from) && !values->has(to)) {
    values->Set(to, values->at[from]);
  }
}

// The identifier is the source port, type and code the destination port (flow.h).
Refusal CompleteIcmp(const FlowSlots& slots, bool v6, Values* values) {
  const std::uint64_t type = NumberAt(*values, slots.icmp_type).value_or(v6 ? 128 : 8);
  const std::uint64_t code = NumberAt(*values, slots.icmp_code).value_or(0);
  std::optional<std::uint64_t> told = NumberAt(*values, slots.icmp_id);
  if (!told) {
    told = NumberAt(*values, slots.orig_sport);
  }
  if (!told) {
    return Refusal::kMissing;  // which of its pings it is cannot be guessed
  }
  const std::uint64_t id = *told;
  const std::uint64_t reply_id = NumberAt(*values, slots.icmp_reply_id).value_or(id);
  std::uint64_t answer = type;  // what no answer is known for answers itself
  switch (type) {
    case 8:
      answer = v6 ? type : 0;
      break;
    case 128:
      answer = v6 ? 129 : type;
      break;
    case 13:
    case 15:
      answer = v6 ? type : type + 1;
      break;
    case 17:
      answer = v6 ? type : 18;
      break;
    default:
      break;
  }
  values->Set(slots.orig_sport, Number(id & 0xffff));
  values->Set(slots.orig_dport, Number((type & 0xff) << 8 | (code & 0xff)));
  values->Set(slots.reply_sport, Number(reply_id & 0xffff));
  values->Set(slots.reply_dport, Number((answer & 0xff) << 8 | (code & 0xff)));
  return Refusal::kNone;
}

}  // namespace

Refusal CompleteFlow(const FlowSlots& slots, bool whole, Values* values) {
  const std::optional<std::uint64_t> protocol = NumberAt(*values, slots.protocol);
  if (!whole || !protocol) {
    return Refusal::kNone;
  }
  if (*protocol == kIcmp || *protocol == kIcmpV6) {
    // Boxes call both ICMP.
    const bool v6 = values->has(slots.orig_src) && !values->at[slots.orig_src].ip.is_v4();
    values->Set(slots.protocol, Number(v6 ? kIcmpV6 : kIcmp));
    if (const Refusal bad = CompleteIcmp(slots, v6, values); bad != Refusal::kNone) {
      return bad;
    }
  } else if (IsPortless(*protocol)) {
    SetIfMissing(slots.orig_sport, Number(0), values);
    SetIfMissing(slots.orig_dport, Number(0), values);
  }
  Inverse(slots.orig_dst, slots.reply_src, values);
  Inverse(slots.orig_dport, slots.reply_sport, values);
  Inverse(slots.orig_src, slots.reply_dst, values);
  Inverse(slots.orig_sport, slots.reply_dport, values);
  const auto differ = [values](std::uint8_t a, std::uint8_t b) {
    return values->has(a) && values->has(b) && values->at[a].ip.is_v4() != values->at[b].ip.is_v4();
  };
  return differ(slots.orig_src, slots.orig_dst) || differ(slots.reply_src, slots.reply_dst)
             ? Refusal::kMixedFamilies
             : Refusal::kNone;
}

}  // namespace mimi::rules
