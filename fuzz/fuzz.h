// What every fuzz target defines, and libFuzzer or replay_main.cc calls: one input, read from
// `data`; returns 0. A finding is a crash, so targets call std::abort() where a promise does not
// hold.
#ifndef MIMI_FUZZ_FUZZ_H_
#define MIMI_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

#endif  // MIMI_FUZZ_FUZZ_H_
