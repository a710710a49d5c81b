#include "src/store/redis/redis_layout.h"

#include <array>
#include <charconv>
#include <cstddef>

#include <fmt/core.h>

#include "src/store/redis/redis_scripts.h"

namespace mimi::internal {
namespace {

std::optional<std::uint64_t> ParseNumber(std::string_view text, int base = 10) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || at != end) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

RedisKeys::RedisKeys(std::string_view prefix, std::string_view pair_name)
    : root(fmt::format("{}:{{{}}}:", prefix, pair_name)),
      pair(root + "pair"),
      feed(root + "feed"),
      terms(root + "terms"),
      writers(root + "writers"),
      schemas(root + "schemas"),
      tables(root + "tables"),
      rows_prefix(root + "rows:") {
}

std::string RedisKeys::lease(std::string_view name) const {
  return fmt::format("{}lease:{}", root, name);
}

std::string RedisKeys::rows(std::string_view table, std::uint64_t generation) const {
  return fmt::format("{}{}:{}", rows_prefix, table, generation);
}

std::optional<RedisFacts> RedisFacts::Read(RedisValue values, std::size_t first) {
  if (values.size() < first + kFacts.size() || values[first].text().empty()) {
    return std::nullopt;
  }
  RedisFacts facts;
  facts.incarnation = values[first].text();
  facts.head = values[first + 1].number();
  facts.trimmed = values[first + 2].number();
  facts.bytes = values[first + 3].number();
  facts.trimmed_bytes = values[first + 4].number();
  facts.generation = values[first + 5].number();
  facts.position = values[first + 6].number();
  facts.counter = values[first + 7].number();
  facts.term = values[first + 8].number();
  facts.claimant = ParseHexId(values[first + 9].text()).value_or(0);
  const std::uint64_t mode = values[first + 10].number();
  facts.mode = mode == 1 ? ClaimMode::kShared : ClaimMode::kExclusive;
  if (facts.head > kMaxRedisNumber || facts.trimmed > facts.position ||
      facts.position > facts.head) {
    return std::nullopt;
  }
  return facts;
}

std::string RedisTableSummary::ToText() const {
  return fmt::format("{} {} {} {} {}", buckets, first_chunk, chunks, rows, tombstones);
}

std::optional<RedisTableSummary> RedisTableSummary::Parse(std::string_view text) {
  std::array<std::uint64_t, 5> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t space = text.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == numbers.size())) {
      return std::nullopt;
    }
    const std::optional<std::uint64_t> number = ParseNumber(text.substr(0, space));
    if (!number.has_value()) {
      return std::nullopt;
    }
    numbers[i] = *number;
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  }
  if (numbers[1] > numbers[2]) {
    return std::nullopt;
  }
  return RedisTableSummary{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
}

std::string RowField(RowBlobKind kind, std::uint64_t number) {
  return fmt::format("{}{}", kind == RowBlobKind::kRows ? "" : "t", number);
}

std::string HexId(std::uint64_t id) {
  return fmt::format("{:016x}", id);
}

std::optional<std::uint64_t> ParseHexId(std::string_view text) {
  return ParseNumber(text, 16);
}

std::optional<Position> ParseEntryId(std::string_view id) {
  const std::size_t dash = id.find('-');
  if (dash == std::string_view::npos || id.substr(dash) != "-0") {
    return std::nullopt;
  }
  return ParseNumber(id.substr(0, dash));
}

}  // namespace mimi::internal
