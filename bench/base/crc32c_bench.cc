// How long the checksum of a batch takes: 20 KB is about 200 Flow rows.
#include <random>

#include "bench/bench.h"
#include "src/base/crc32c.h"

namespace {

constexpr size_t kBatchBytes = 20'480;

double NanosecondsPerBatch(const mimi::bench::Bench& bench,
                           uint32_t (*extend)(uint32_t, const void*, size_t)) {
  std::mt19937 random(1);
  std::vector<unsigned char> bytes(kBatchBytes);
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(random());
  }
  const size_t count = bench.Scale(20'000);
  uint32_t crc = 0;
  const auto start = mimi::bench::Now();
  for (size_t i = 0; i < count; ++i) {
    crc = extend(crc, bytes.data(), bytes.size());
    mimi::bench::Keep(crc);
  }
  return mimi::bench::NanosecondsSince(start) / static_cast<double>(count);
}

}  // namespace

void BenchMain(mimi::bench::Bench& bench) {
  bench.Run("base.crc32c_20k_ns", "ns",
            [&] { return NanosecondsPerBatch(bench, mimi::ExtendCrc32c); });
  bench.Run("base.crc32c_portable_20k_ns", "ns",
            [&] { return NanosecondsPerBatch(bench, mimi::internal::ExtendCrc32cPortable); });
}
