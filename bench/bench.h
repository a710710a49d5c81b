// The frame of every benchmark program: repeats, medians, one JSON object per line and metric.
//
// A program defines BenchMain() and reports what it measured:
//
//   void BenchMain(mimi::bench::Bench& bench) {
//     bench.Run("publish.put_ns", "ns", [&] {
//       const size_t count = bench.Scale(10'000'000);
//       const auto start = mimi::bench::Now();
//       for (size_t i = 0; i < count; ++i) { … }
//       return mimi::bench::NanosecondsSince(start) / double(count);
//     });
//   }
//
// prints {"metric": "publish.put_ns", "value": 3.1, "unit": "ns", "n": 5, "min": 2.9, "max": 3.4}.
//
// Command line: words select the metrics whose names contain one of them; `--smoke` makes one short
// run of each, only to see that it works (Scale() divides by 1000); `-n N` changes the repeats.
//
// Threads: one at a time, but AllocationCount() and NanosecondsSince() are for any.
#ifndef MIMI_BENCH_BENCH_H_
#define MIMI_BENCH_BENCH_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mimi::bench {

class Bench {
 public:
  Bench(int argc, char** argv);

  // Whether the command line selects this metric: ask before a set-up that several metrics share.
  bool Wants(std::string_view metric) const;

  // `count` as written, or a thousandth of it (at least 1) for a smoke run.
  size_t Scale(size_t count) const;

  bool smoke() const { return smoke_; }

  // Calls `measure` n times (5, or as `-n` says) and prints median, least and greatest of what it
  // returned. Does nothing when the metric is not selected.
  void Run(std::string_view metric, std::string_view unit, const std::function<double()>& measure);

  // Prints values that were taken together, such as percentiles of one run, or sizes.
  void Report(std::string_view metric, std::string_view unit, std::vector<double> values);

  // Ends the program with exit code 1 after all metrics: for a run that lost records or otherwise
  // measured something else than it says.
  void Fail(std::string_view why);

  int exit_code() const { return failed_ ? 1 : 0; }

 private:
  std::vector<std::string> words_;
  int repeats_ = 5;
  bool smoke_ = false;
  bool failed_ = false;
};

using TimePoint = std::chrono::steady_clock::time_point;

inline TimePoint Now() {
  return std::chrono::steady_clock::now();
}

inline double NanosecondsSince(TimePoint start) {
  return std::chrono::duration<double, std::nano>(Now() - start).count();
}

inline double SecondsSince(TimePoint start) {
  return std::chrono::duration<double>(Now() - start).count();
}

// Calls of operator new by any thread of this program so far. Bench programs replace operator new;
// malloc called directly is not counted.
uint64_t AllocationCount();

// The same for the calling thread alone.
uint64_t ThreadAllocationCount();

// Makes the compiler believe that `value` is used and may have changed.
template <typename T>
inline void Keep(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

}  // namespace mimi::bench

// Defined by each program.
void BenchMain(mimi::bench::Bench& bench);

#endif  // MIMI_BENCH_BENCH_H_
