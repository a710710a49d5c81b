#ifndef MIMI_SRC_STORE_FILE_PAYLOADS_H_
#define MIMI_SRC_STORE_FILE_PAYLOADS_H_

// What stands in the frames of a file store that are no batches (FORMAT.md in this directory):
// structs and their bytes. Decoding treats bytes as hostile and returns nullopt for what cannot be.
//
// Threads: any.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mimi/record.h"

#include "src/state/fence.h"
#include "src/store/file/layout.h"

namespace mimi::internal {

struct LeaseEntry {
  std::string name;
  Origin owner = 0;
  std::uint64_t term = 0;
  std::int64_t until_ns = 0;  // CLOCK_MONOTONIC of the boot; in the past: free
  friend bool operator==(const LeaseEntry&, const LeaseEntry&) = default;
};

struct BootEntry {
  std::uint64_t incarnation = 0;
  BootId boot{};
  friend bool operator==(const BootEntry&, const BootEntry&) = default;
};

struct EndEntry {
  std::uint64_t batches = 0;  // in this base file
  std::uint64_t records = 0;  // rows and tombstones in them
  friend bool operator==(const EndEntry&, const EndEntry&) = default;
};

inline constexpr std::size_t kMaxStreamsPerFrame = 16384;
inline constexpr std::size_t kMaxLeaseName = 255;

std::string EncodeClaim(const Fence::Claim& claim);
std::optional<Fence::Claim> DecodeClaim(std::span<const std::byte> bytes);

std::string EncodeLease(const LeaseEntry& lease);
std::optional<LeaseEntry> DecodeLease(std::span<const std::byte> bytes);

std::string EncodeBoot(const BootEntry& boot);
std::optional<BootEntry> DecodeBoot(std::span<const std::byte> bytes);

std::string EncodeStreams(std::span<const Continuity::Entry> streams);
std::optional<std::vector<Continuity::Entry>> DecodeStreams(std::span<const std::byte> bytes);

std::string EncodeEnd(const EndEntry& end);
std::optional<EndEntry> DecodeEnd(std::span<const std::byte> bytes);

}  // namespace mimi::internal

#endif  // MIMI_SRC_STORE_FILE_PAYLOADS_H_
