#include "src/service/prometheus_text.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include <fmt/core.h>

namespace mimi::service {
namespace {

// Backslash, line feed, and in label values the double quote.
void AppendEscaped(std::string_view text, bool quotes, std::string* out) {
  for (const char c : text) {
    if (c == '\\') {
      out->append("\\\\");
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '"' && quotes) {
      out->append("\\\"");
    } else {
      out->push_back(c);
    }
  }
}

std::string LabelText(const MetricLabels& labels) {
  std::string out;
  for (const MetricLabel& label : labels) {
    out += out.empty() ? "{" : ",";
    out += label.name;
    out += "=\"";
    AppendEscaped(label.value, true, &out);
    out += '"';
  }
  return out.empty() ? out : out + "}";
}

std::string ValueText(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  // Counts as counts: the shortest form of a double would write 1e+06.
  constexpr double kExact = 9007199254740992;  // 2^53
  if (value == std::floor(value) && std::fabs(value) <= kExact) {
    return fmt::format("{:.0f}", value);
  }
  return fmt::format("{}", value);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Field 22 of /proc/self/stat, in ticks since the machine started; nothing when it cannot be read.
double StartTime() {
  std::ifstream stat("/proc/self/stat");
  std::ifstream uptime("/proc/uptime");
  std::string line;
  double up = 0;
  if (!std::getline(stat, line) || !(uptime >> up)) {
    return 0;
  }
  std::size_t at = line.rfind(')');  // the name may hold blanks
  for (int field = 2; field < 22 && at != std::string::npos; ++field) {
    at = line.find(' ', at + 1);
  }
  if (at == std::string::npos) {
    return 0;
  }
  const double started =
      std::strtod(line.c_str() + at, nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
  timeval now{};
  gettimeofday(&now, nullptr);
  return Seconds(now) - up + started;
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::size_t OpenDescriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  std::size_t count = 0;
  while (directory != nullptr && readdir(directory.get()) != nullptr) {
    ++count;
  }
  return count > 3 ? count - 3 : 0;  // ".", ".." and the directory itself
}

}  // namespace

std::string PrometheusText(MetricList metrics) {
  std::ranges::stable_sort(metrics, {}, &Metric::name);
  std::string out;
  for (auto first = metrics.begin(); first != metrics.end();) {
    const auto last = std::find_if(first, metrics.end(),
                                   [&](const Metric& other) { return other.name != first->name; });
    out += fmt::format("# HELP {} ", first->name);
    AppendEscaped(first->help, false, &out);
    out += fmt::format("\n# TYPE {} {}\n", first->name,
                       first->kind == MetricKind::kCounter ? "counter" : "gauge");
    for (auto metric = first; metric != last; ++metric) {
      const bool repeated = std::any_of(
          metric + 1, last, [&](const Metric& other) { return other.labels == metric->labels; });
      if (!repeated) {
        out += fmt::format("{}{} {}\n", metric->name, LabelText(metric->labels),
                           ValueText(metric->value));
      }
    }
    first = last;
  }
  return out;
}

MetricList ProcessMetrics() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  MetricList metrics;
  metrics.push_back({"process_cpu_seconds_total",
                     "User and system CPU time in seconds",
                     MetricKind::kCounter,
                     Seconds(usage.ru_utime) + Seconds(usage.ru_stime),
                     {}});
  metrics.push_back(
      GaugeMetric("process_resident_memory_bytes", "Resident memory in bytes", ResidentBytes()));
  metrics.push_back(GaugeMetric("process_open_fds", "Open file descriptors",
                                static_cast<double>(OpenDescriptors())));
  metrics.push_back(GaugeMetric("process_start_time_seconds",
                                "Start of the process, in seconds since 1970", StartTime()));
  return metrics;
}

}  // namespace mimi::service
