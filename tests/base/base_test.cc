#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/metrics.h"

#include "src/base/bytes.h"
#include "src/base/duration.h"
#include "src/base/hash.h"
#include "src/base/log.h"
#include "src/base/mutex.h"
#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/base/utf8.h"

namespace mimi {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST_CASE("status: an error carries its code and its text") {
  const absl::Status status = Error(absl::StatusCode::kNotFound, "{}: {} of {}", "t", 1, 2.5);
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(Message(status) == "t: 1 of 2.5");
  CHECK(Message(Prepend("file", status)) == "file: t: 1 of 2.5");
  CHECK(Prepend("file", absl::OkStatus()).ok());
}

TEST_CASE("bytes: integers are stored in the order that is asked for") {
  std::array<unsigned char, 8> bytes{};
  StoreLe(bytes.data(), std::uint32_t{0x01020304});
  CHECK(bytes[0] == 4);
  CHECK(LoadLe<std::uint32_t>(bytes.data()) == 0x01020304);
  CHECK(LoadBe<std::uint32_t>(bytes.data()) == 0x04030201);
  StoreBe(bytes.data(), std::uint64_t{1});
  CHECK(bytes[7] == 1);
  std::string text;
  AppendLe(&text, std::uint16_t{0x0102});
  AppendBe(&text, std::uint16_t{0x0102});
  AppendText8(&text, "ab");
  CHECK(text == "\x02\x01\x01\x02\x02"s + "ab");
}

TEST_CASE("bytes: a puller takes what is there and never more") {
  const std::string bytes = "\x01\x02\x03\x02xyz"s;
  Puller in(bytes);
  std::uint8_t one = 0;
  std::uint16_t two = 0;
  std::string_view text;
  REQUIRE(in.Le(&one));
  REQUIRE(in.Be(&two));
  CHECK(one == 1);
  CHECK(two == 0x0203);
  REQUIRE(in.Text8(&text));
  CHECK(text == "xy");
  CHECK(in.offset() == 6);
  CHECK(in.remaining() == 1);
  CHECK_FALSE(in.Le(&two));
  CHECK_FALSE(in.Skip(2));
  CHECK_FALSE(in.Text8(&text));  // 'z' promises 122 bytes
  CHECK(in.offset() == 6);       // a refused pull takes nothing
  CHECK(in.Skip(1));
  CHECK(in.done());
}

TEST_CASE("hash: FNV-1a has the published values") {
  CHECK(HashName("") == 0xcbf29ce484222325);
  CHECK(HashName("a") == 0xaf63dc4c8601ec8c);
  CHECK(HashName("foobar") == 0x85944171f73967e8);
  static_assert(HashName("foobar") == 0x85944171f73967e8);
}

TEST_CASE("hash: row hashes differ by table, and every bit of a key counts") {
  const RowHash one(1);
  const RowHash two(2);
  for (std::size_t size = 1; size <= 64; ++size) {
    CAPTURE(size);
    std::vector<std::byte> key(size);
    CHECK(one(key) != two(key));
    CHECK(one(key) == RowHash(1)(key));
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      std::vector<std::byte> other = key;
      other[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      CHECK(one(key) != one(other));
    }
    std::vector<std::byte> longer(size + 1);
    CHECK(one(key) != one(longer));  // zeros behind it are not nothing
  }
}

TEST_CASE("hash: neighbouring keys spread evenly over buckets") {
  // Ports and addresses count up; 13-byte keys, 4096 buckets, 64 keys in each on average.
  const RowHash hash(0x1234);
  std::vector<int> low(4096);
  std::vector<int> high(4096);
  std::array<std::byte, 13> key{};
  for (std::uint32_t i = 0; i < 4096 * 64; ++i) {
    StoreLe(key.data() + 5, i);
    const std::uint64_t value = hash(key);
    ++low[value % 4096];
    ++high[value >> 52];
  }
  for (const auto& buckets : {low, high}) {
    double chi = 0;
    for (const int n : buckets) {
      chi += (n - 64.0) * (n - 64.0) / 64.0;
    }
    // Chi-squared with 4095 degrees of freedom: mean 4095, deviation 90. Five deviations.
    CHECK(chi < 4095 + 5 * 90.5);
  }
}

TEST_CASE("suggest: the nearest word, and none when nothing is near") {
  constexpr std::array<std::string_view, 6> kWords = {"i64",  "ip",   "ipv4",
                                                      "ipv6", "port", "duration"};
  CHECK(DidYouMean("ip4", kWords) == ", did you mean \"ipv4\"?");
  CHECK(DidYouMean("prot", kWords) == ", did you mean \"port\"?");
  CHECK(DidYouMean("durration", kWords) == ", did you mean \"duration\"?");
  CHECK(DidYouMean("x", kWords).empty());
  CHECK(DidYouMean("", kWords).empty());
  CHECK(DidYouMean(std::string(100'000, 'a'), kWords).empty());
}

TEST_CASE("utf8: only what RFC 3629 allows") {
  for (const char* good : {"", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CHECK(IsUtf8(good));
  }
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF",
                          "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xE1\x80", "\xFF", "\xE1\x80\x41"}) {
    CHECK_FALSE(IsUtf8(bad));
  }
}

TEST_CASE("duration: a number with its unit, both ways") {
  CHECK(ParseDuration("250ms") == 250ms);
  CHECK(ParseDuration("250 ms") == 250ms);
  CHECK(ParseDuration("-2h") == -2h);
  CHECK(ParseDuration("7d") == 168h);
  CHECK(ParseDuration("0s") == 0s);
  for (const char* wrong : {"", "5", "ms", "5 m s", "5min", "1.5s", "99999999999d", " 5s", "5s "}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseDuration(wrong));
  }
  CHECK(FormatDuration(300s) == "300s");
  CHECK(FormatDuration(1500ms) == "1500ms");
  CHECK(FormatDuration(-1ns) == "-1ns");
  CHECK(FormatDuration(0s) == "0s");
  CHECK(ParseDuration(FormatDuration(Duration::min())) == Duration::min());
  CHECK(ParseDuration(FormatDuration(Duration::max())) == Duration::max());
}

TEST_CASE("time: RFC 3339 in UTC, both ways, over the whole range") {
  CHECK(FormatTime(UnixTime()) == "1970-01-01T00:00:00Z");
  CHECK(ParseTime("2023-11-14T22:13:20.5Z") == UnixTime(Duration(1'700'000'000'500'000'000)));
  CHECK(FormatTime(UnixTime(Duration(-1))) == "1969-12-31T23:59:59.999999999Z");
  for (const std::int64_t ns :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
        std::int64_t{-1}, std::int64_t{1}, std::int64_t{-1'000'000'000},
        std::int64_t{951'782'400'000'000'000}}) {
    const UnixTime time{Duration(ns)};
    CAPTURE(FormatTime(time));
    CHECK(ParseTime(FormatTime(time)) == time);
  }
  for (const char* wrong :
       {"", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z", "2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z",
        "2023-01-01T00:00:60Z", "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00.1234567890Z",
        "2023-01-01T00:00:00Zx", "1600-01-01T00:00:00Z", "2262-12-01T00:00:00Z",
        "1677-01-01T00:00:00Z", "-023-01-01T00:00:00Z"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseTime(wrong));
  }
}

TEST_CASE("clock: both clocks of the system go on") {
  const Clock& clock = SystemClock();
  const MonotonicTime before = clock.now();
  CHECK(clock.now() >= before);
  CHECK(clock.unix_now().time_since_epoch() > 50 * 365 * 24h);
  CHECK(&SystemClock() == &clock);
}

TEST_CASE("log: text is made only for a callback") {
  Logger().Warn("{}", 1);  // says nothing, to nobody
  std::vector<std::pair<LogLevel, std::string>> lines;
  const Logger log([&](LogLevel level, std::string_view text) { lines.emplace_back(level, text); });
  log.Info("{} rows", 3);
  log.Fail("{}", "gone");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == std::pair{LogLevel::kInfo, "3 rows"s});
  CHECK(lines[1].first == LogLevel::kError);
  CHECK(LogLevelName(LogLevel::kWarning) == "warning");
}

TEST_CASE("metrics: counters grow, and values carry their labels") {
  Counter counter;
  counter.Add();
  counter.Add(41);
  const Metric metric = CounterMetric("mimi_x_total", "X", counter.value(), {{"reason", "r"}});
  CHECK(metric.value == 42.0);
  CHECK(metric.kind == MetricKind::kCounter);
  CHECK(metric.labels == MetricLabels{{"reason", "r"}});
  CHECK(GaugeMetric("mimi_y", "Y", 0.5).kind == MetricKind::kGauge);
}

TEST_CASE("mutex: locked for the length of a scope") {
  Mutex mutex;
  { MutexLock lock(mutex); }
  REQUIRE(mutex.try_lock());
  mutex.unlock();
}

}  // namespace
}  // namespace mimi
