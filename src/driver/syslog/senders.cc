#include "src/driver/syslog/senders.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "src/base/status.h"

namespace mimi::internal {

absl::StatusOr<AllowList> AllowList::Parse(const std::vector<std::string>& texts) {
  AllowList list;
  for (const std::string& text : texts) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::optional<Ip> ip = Ip::Parse(std::string_view(text).substr(0, slash));
    const unsigned most = ip && ip->is_v4() ? 32 : 128;
    unsigned bits = most;
    bool right = ip.has_value();
    if (slash < text.size()) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      right = right && error == std::errc() && stop == end && bits <= most;
    }
    if (!right) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "allow: \"{}\" is no address and no prefix such as 192.0.2.0/24", text);
    }
    list.prefixes_.push_back({*ip, bits + 128 - most});
  }
  if (list.prefixes_.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "allow: expected at least one address: who else sends could make flows");
  }
  return list;
}

bool AllowList::Allows(const Ip& ip) const {
  return std::ranges::any_of(prefixes_, [&ip](const Prefix& prefix) {
    const std::size_t whole = prefix.bits / 8;
    const unsigned rest = prefix.bits % 8;
    if (!std::equal(ip.octets.begin(), ip.octets.begin() + static_cast<std::ptrdiff_t>(whole),
                    prefix.ip.octets.begin())) {
      return false;
    }
    const unsigned differ =
        rest == 0 ? 0U : static_cast<unsigned>(ip.octets[whole] ^ prefix.ip.octets[whole]);
    return (differ >> (8 - rest)) == 0;
  });
}

std::uint32_t SequenceWatch::Missing(const Ip& from, std::string_view host,
                                     std::uint32_t sequence) {
  std::uint64_t id = 0xcbf29ce484222325;  // FNV-1a
  const auto mix = [&id](std::uint8_t byte) {
    id = (id ^ byte) * 0x100000001b3;
  };
  std::ranges::for_each(from.octets, mix);
  std::ranges::for_each(host, [&mix](char c) { mix(static_cast<std::uint8_t>(c)); });
  Sender& sender = senders_[(id ^ id >> 32) % senders_.size()];
  const std::uint32_t before = sender.id == id ? sender.last : 0;
  sender = {id, sequence};
  if (before == 0 || sequence <= before || sequence - before > kMaxGap) {
    return 0;
  }
  return sequence - before - 1;
}

}  // namespace mimi::internal
