#include "src/base/duration.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

#include <fmt/core.h>

namespace mimi {
namespace {

using namespace std::chrono_literals;

struct Unit {
  std::string_view name;
  Duration length;
};

constexpr std::array<Unit, 7> kUnits = {
    {{"ns", 1ns}, {"us", 1us}, {"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}}};
constexpr std::size_t kSecond = 3;  // durations are shown in units up to this one

// Exactly `digits` digits from the front of `text`.
std::optional<int> TakeNumber(std::string_view* text, std::size_t digits) {
  if (text->size() < digits) {
    return std::nullopt;
  }
  int value = 0;
  for (const char c : text->substr(0, digits)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return value;
}

bool Take(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) {
    return false;
  }
  text->remove_prefix(1);
  return true;
}

// ".5" as nanoseconds; 0 when there is no fraction.
std::optional<std::int64_t> TakeFraction(std::string_view* text) {
  if (!Take(text, '.')) {
    return 0;
  }
  std::int64_t value = 0;
  std::size_t digits = 0;
  while (!text->empty() && text->front() >= '0' && text->front() <= '9') {
    if (++digits > 9) {
      return std::nullopt;
    }
    value = value * 10 + (text->front() - '0');
    text->remove_prefix(1);
  }
  for (std::size_t i = digits; i < 9; ++i) {
    value *= 10;
  }
  return digits == 0 ? std::nullopt : std::optional(value);
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  Take(&text, ' ');
  for (const Unit& unit : kUnits) {
    if (text == unit.name) {
      std::int64_t nanoseconds = 0;
      return __builtin_mul_overflow(count, unit.length.count(), &nanoseconds)
                 ? std::nullopt
                 : std::optional(Duration(nanoseconds));
    }
  }
  return std::nullopt;
}

std::string FormatDuration(Duration duration) {
  std::size_t unit = kSecond;
  while (duration % kUnits[unit].length != 0ns) {
    --unit;
  }
  return fmt::format("{}{}", duration / kUnits[unit].length, kUnits[unit].name);
}

std::optional<UnixTime> ParseTime(std::string_view text) {
  const auto year = TakeNumber(&text, 4);
  if (!year || !Take(&text, '-')) {
    return std::nullopt;
  }
  const auto month = TakeNumber(&text, 2);
  if (!month || !Take(&text, '-')) {
    return std::nullopt;
  }
  const auto day = TakeNumber(&text, 2);
  if (!day || !Take(&text, 'T')) {
    return std::nullopt;
  }
  const auto hour = TakeNumber(&text, 2);
  if (!hour || !Take(&text, ':')) {
    return std::nullopt;
  }
  const auto minute = TakeNumber(&text, 2);
  if (!minute || !Take(&text, ':')) {
    return std::nullopt;
  }
  const auto second = TakeNumber(&text, 2);
  const auto fraction = second ? TakeFraction(&text) : std::nullopt;
  if (!fraction || text != "Z" || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  // Nanoseconds in 64 bits reach from 1677-09-21 to 2262-04-11; the seconds before and after do not
  // all fit.
  if (!date.ok() || *year < 1677 || *year > 2262) {
    return std::nullopt;
  }
  const std::int64_t seconds =
      std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400} + *hour * 3600 +
      *minute * 60 + *second;
  // The fraction is added to the multiple of whole seconds towards zero, so that no step leaves the
  // range before the sum does.
  const bool negative = seconds < 0 && *fraction > 0;
  std::int64_t nanoseconds = 0;
  if (__builtin_mul_overflow(seconds + (negative ? 1 : 0), std::int64_t{1'000'000'000},
                             &nanoseconds) ||
      __builtin_add_overflow(nanoseconds, *fraction - (negative ? 1'000'000'000 : 0),
                             &nanoseconds)) {
    return std::nullopt;
  }
  return UnixTime(Duration(nanoseconds));
}

std::string FormatTime(UnixTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto days = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(days);
  const std::int64_t of_day = (seconds - days).count();
  // Not (time - seconds): the whole second below the earliest time is out of range.
  const std::int64_t count = time.time_since_epoch().count();
  const std::int64_t fraction = (count % 1'000'000'000 + 1'000'000'000) % 1'000'000'000;
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  of_day / 3600, of_day / 60 % 60, of_day % 60);
  if (fraction != 0) {
    text += fmt::format(".{:09}", fraction);
    text.resize(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace mimi
