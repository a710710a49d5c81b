#include "bench/bench.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

std::atomic<uint64_t> allocations{0};
thread_local uint64_t thread_allocations = 0;

void* Counted(void* memory) {
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  allocations.fetch_add(1, std::memory_order_relaxed);
  ++thread_allocations;
  return memory;
}

}  // namespace

// Replacements for the whole program; the other forms of new and delete end in these.
void* operator new(size_t size) {
  return Counted(std::malloc(size == 0 ? 1 : size));
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  return Counted(std::aligned_alloc(align, (size + align - 1) / align * align));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace mimi::bench {

uint64_t AllocationCount() {
  return allocations.load(std::memory_order_relaxed);
}

uint64_t ThreadAllocationCount() {
  return thread_allocations;
}

Bench::Bench(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--smoke") {
      smoke_ = true;
    } else if (word == "-n" && i + 1 < argc) {
      repeats_ = std::max(1, std::atoi(argv[++i]));
    } else if (word.starts_with("-")) {
      std::fprintf(stderr, "usage: %s [--smoke] [-n REPEATS] [METRIC…]\n", argv[0]);
      std::exit(2);
    } else {
      words_.emplace_back(word);
    }
  }
  if (smoke_) {
    repeats_ = 1;
  }
}

bool Bench::Wants(std::string_view metric) const {
  return words_.empty() || std::any_of(words_.begin(), words_.end(), [&](const std::string& word) {
           return metric.find(word) != std::string_view::npos;
         });
}

size_t Bench::Scale(size_t count) const {
  return smoke_ ? std::max<size_t>(count / 1000, 1) : count;
}

void Bench::Run(std::string_view metric, std::string_view unit,
                const std::function<double()>& measure) {
  if (!Wants(metric)) {
    return;
  }
  std::vector<double> values;
  for (int i = 0; i < repeats_; ++i) {
    values.push_back(measure());
  }
  Report(metric, unit, std::move(values));
}

void Bench::Report(std::string_view metric, std::string_view unit, std::vector<double> values) {
  if (!Wants(metric) || values.empty()) {
    return;
  }
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  std::printf(
      "{\"metric\": \"%.*s\", \"value\": %.6g, \"unit\": \"%.*s\", \"n\": %zu, \"min\": %.6g, "
      "\"max\": %.6g}\n",
      static_cast<int>(metric.size()), metric.data(), median, static_cast<int>(unit.size()),
      unit.data(), values.size(), values.front(), values.back());
  std::fflush(stdout);
}

void Bench::Fail(std::string_view why) {
  std::fprintf(stderr, "FAILED: %.*s\n", static_cast<int>(why.size()), why.data());
  failed_ = true;
}

}  // namespace mimi::bench

int main(int argc, char** argv) {
  mimi::bench::Bench bench(argc, argv);
  BenchMain(bench);
  return bench.exit_code();
}
