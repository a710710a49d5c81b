#include "src/store/file/payloads.h"

#include <algorithm>

#include "src/base/bytes.h"

namespace mimi::internal {

std::string EncodeClaim(const Fence::Claim& claim) {
  std::string out;
  AppendLe(&out, claim.term);
  AppendLe(&out, claim.origin);
  AppendLe(&out, static_cast<std::uint8_t>(claim.mode));
  return out;
}

std::optional<Fence::Claim> DecodeClaim(std::span<const std::byte> bytes) {
  Puller in(bytes);
  Fence::Claim claim;
  std::uint8_t mode = 0;
  if (!in.Le(&claim.term) || !in.Le(&claim.origin) || !in.Le(&mode) || !in.done() ||
      mode > static_cast<std::uint8_t>(ClaimMode::kControl)) {
    return std::nullopt;
  }
  claim.mode = static_cast<ClaimMode>(mode);
  return claim;
}

std::string EncodeLease(const LeaseEntry& lease) {
  std::string out;
  AppendLe(&out, lease.owner);
  AppendLe(&out, lease.term);
  AppendLe(&out, static_cast<std::uint64_t>(lease.until_ns));
  AppendText8(&out, lease.name);
  return out;
}

std::optional<LeaseEntry> DecodeLease(std::span<const std::byte> bytes) {
  Puller in(bytes);
  LeaseEntry lease;
  std::uint64_t until_ns = 0;
  std::string_view name;
  if (!in.Le(&lease.owner) || !in.Le(&lease.term) || !in.Le(&until_ns) || !in.Text8(&name) ||
      !in.done()) {
    return std::nullopt;
  }
  lease.until_ns = static_cast<std::int64_t>(until_ns);
  lease.name = name;
  return lease;
}

std::string EncodeBoot(const BootEntry& boot) {
  std::string out;
  AppendLe(&out, boot.incarnation);
  out.append(AsText(boot.boot));
  return out;
}

std::optional<BootEntry> DecodeBoot(std::span<const std::byte> bytes) {
  Puller in(bytes);
  BootEntry boot;
  std::span<const std::byte> id;
  if (!in.Le(&boot.incarnation) || !in.Take(boot.boot.size(), &id) || !in.done()) {
    return std::nullopt;
  }
  std::copy(id.begin(), id.end(), boot.boot.begin());
  return boot;
}

std::string EncodeStreams(std::span<const Continuity::Entry> streams) {
  std::string out;
  for (const Continuity::Entry& stream : streams) {
    AppendLe(&out, stream.table);
    AppendLe(&out, stream.origin);
    AppendLe(&out, stream.term);
    AppendLe(&out, stream.next);
  }
  return out;
}

std::optional<std::vector<Continuity::Entry>> DecodeStreams(std::span<const std::byte> bytes) {
  Puller in(bytes);
  std::vector<Continuity::Entry> streams;
  while (!in.done()) {
    Continuity::Entry stream;
    if (!in.Le(&stream.table) || !in.Le(&stream.origin) || !in.Le(&stream.term) ||
        !in.Le(&stream.next)) {
      return std::nullopt;
    }
    streams.push_back(stream);
  }
  return streams;
}

std::string EncodeEnd(const EndEntry& end) {
  std::string out;
  AppendLe(&out, end.batches);
  AppendLe(&out, end.records);
  return out;
}

std::optional<EndEntry> DecodeEnd(std::span<const std::byte> bytes) {
  Puller in(bytes);
  EndEntry end;
  if (!in.Le(&end.batches) || !in.Le(&end.records) || !in.done()) {
    return std::nullopt;
  }
  return end;
}

}  // namespace mimi::internal
