#include "src/config/values.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/core.h>

#include "src/config/section.h"

namespace mimi::config {

std::string Shortened(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out(text.substr(0, kMost));
  // Do not end in the middle of a character.
  while (text.size() > kMost && !out.empty() &&
         (static_cast<unsigned char>(text[out.size()]) & 0xC0U) == 0x80) {
    out.pop_back();
  }
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return text.size() > kMost ? out + "…" : out;
}

std::string Listed(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out += fmt::format("{}\"{}\"", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
  }
  return out;
}

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  Endpoint endpoint;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return std::nullopt;
  }
  if (host == "*") {
    return endpoint;  // `::`
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const std::optional<Ip> address = Ip::Parse(host);
  if (!address || address->is_v4() == bracketed) {
    return std::nullopt;
  }
  endpoint.address = *address;
  return endpoint;
}

std::string FormatEndpoint(const Endpoint& endpoint) {
  if (endpoint.address == Ip()) {
    return fmt::format("*:{}", endpoint.port);
  }
  return endpoint.address.is_v4()
             ? fmt::format("{}:{}", endpoint.address.ToString(), endpoint.port)
             : fmt::format("[{}]:{}", endpoint.address.ToString(), endpoint.port);
}

std::optional<std::uint64_t> ParseSize(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) {
    unit.remove_prefix(1);
  }
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr Unit kUnits[] = {
      {"", 1},           {"B", 1},         {"kB", 1000},          {"KiB", 1 << 10},
      {"MB", 1'000'000}, {"MiB", 1 << 20}, {"GB", 1'000'000'000}, {"GiB", 1 << 30},
  };
  for (const Unit& known : kUnits) {
    if (unit == known.name) {
      return number > UINT64_MAX / known.bytes ? std::nullopt : std::optional(number * known.bytes);
    }
  }
  return std::nullopt;
}

}  // namespace mimi::config
