// What a struct costs to become a row, and back: typed rows beside cereal's binary archive and
// JSON; and what a record costs of its batch's checksum and checks.
//
// Each round encodes (decodes) many different structs, so that nothing is computed once and reused;
// a barrier after each keeps the compiler from leaving any out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <cereal/archives/binary.hpp>

#include "mimi/flow.h"
#include "mimi/json.h"
#include "mimi/record.h"
#include "mimi/typed.h"

#include "bench/bench.h"

namespace mimi {
namespace {

// 72 bytes in the row: a 13-byte key and counters, as a firewall keeps them.
struct Session {
  IpProtocol protocol = IpProtocol::kTcp;
  Ipv4 client_ip;
  Port client_port;
  Ipv4 server_ip;
  Port server_port;
  Ipv4 backend_ip;
  Port backend_port;
  std::uint8_t state = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  Mac mac;
  std::uint32_t mark = 0;
  std::uint16_t vlan = 0;
  std::uint64_t seen = 0;
  std::uint64_t created = 0;
  std::uint64_t policy = 0;

  template <class Archive>
  void serialize(Archive& ar) {
    ar(Key(CEREAL_NVP(protocol)), Key(CEREAL_NVP(client_ip)), Key(CEREAL_NVP(client_port)),
       Key(CEREAL_NVP(server_ip)), Key(CEREAL_NVP(server_port)), CEREAL_NVP(backend_ip),
       CEREAL_NVP(backend_port), CEREAL_NVP(state), CEREAL_NVP(packets), CEREAL_NVP(bytes),
       CEREAL_NVP(mac), CEREAL_NVP(mark), CEREAL_NVP(vlan), CEREAL_NVP(seen), CEREAL_NVP(created),
       CEREAL_NVP(policy));
  }
};

constexpr std::size_t kStructs = 128;  // all of them stay in the first-level cache

Session MakeSession(std::uint32_t i) {
  Session session;
  session.client_ip.octets[3] = static_cast<std::uint8_t>(i);
  session.client_port = static_cast<std::uint16_t>(i);
  session.packets = i * std::uint64_t{0x9E3779B97F4A7C15};
  session.mark = i;
  return session;
}

Flow MakeFlow(std::uint32_t i) {
  Flow flow;
  flow.protocol = IpProtocol::kTcp;
  flow.orig_src.octets[15] = static_cast<std::uint8_t>(i);
  flow.orig_sport = static_cast<std::uint16_t>(i);
  flow.mark = i;
  return flow;
}

template <class T>
std::vector<T> MakeAll(T (*make)(std::uint32_t)) {
  std::vector<T> all;
  for (std::uint32_t i = 0; i < kStructs; ++i) {
    all.push_back(make(i));
  }
  return all;
}

void KeepMemory(const void* memory) {
  asm volatile("" : : "g"(memory) : "memory");
}

template <class T>
void MeasureRows(bench::Bench& bench, const std::string& suffix, T (*make)(std::uint32_t)) {
  const std::vector<T> structs = MakeAll(make);
  const std::size_t size = TypedRow<T>::size();
  std::vector<std::byte> rows(kStructs * size);
  const std::size_t rounds = bench.Scale(150'000);
  bench.Run("record.encode_ns" + suffix, "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < kStructs; ++i) {
        TypedRow<T>::Encode(structs[i], rows.data() + i * size);
      }
      KeepMemory(rows.data());
    }
    return bench::NanosecondsSince(start) / static_cast<double>(rounds * kStructs);
  });
  for (std::size_t i = 0; i < kStructs; ++i) {
    TypedRow<T>::Encode(structs[i], rows.data() + i * size);
  }
  T out;
  bench.Run("record.decode_ns" + suffix, "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < kStructs; ++i) {
        if (!DecodeRow<T>({rows.data() + i * size, size}, &out)) {
          bench.Fail("a row could not be decoded");
        }
        KeepMemory(&out);
      }
    }
    return bench::NanosecondsSince(start) / static_cast<double>(rounds * kStructs);
  });
}

void MeasureCereal(bench::Bench& bench) {
  const std::vector<Session> structs = MakeAll(MakeSession);
  const std::size_t rounds = bench.Scale(8'000);
  std::string written;
  bench.Run("record.cereal_encode_ns", "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      std::ostringstream stream;
      cereal::BinaryOutputArchive archive(stream);
      for (const Session& session : structs) {
        archive(session);
      }
      written = std::move(stream).str();
    }
    return bench::NanosecondsSince(start) / static_cast<double>(rounds * kStructs);
  });
  Session out;
  bench.Run("record.cereal_decode_ns", "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      std::istringstream stream(written);
      cereal::BinaryInputArchive archive(stream);
      for (std::size_t i = 0; i < kStructs; ++i) {
        archive(out);
        KeepMemory(&out);
      }
    }
    return bench::NanosecondsSince(start) / static_cast<double>(rounds * kStructs);
  });
}

void MeasureJson(bench::Bench& bench) {
  const std::size_t rounds = bench.Scale(400'000);
  std::vector<std::byte> row(FlowSchema().row_size());
  TypedRow<Flow>::Encode(MakeFlow(7), row.data());
  const std::string json = RowToJson(FlowSchema(), row);
  bench.Run("record.json_encode_ns", "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      KeepMemory(RowToJson(FlowSchema(), row).data());
    }
    return bench::NanosecondsSince(start) / static_cast<double>(rounds);
  });
  bench.Run("record.json_decode_ns", "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      const auto back = RowFromJson(FlowSchema(), json);
      if (!back.ok() || *back != row) {
        bench.Fail("a row did not come back from JSON");
      }
    }
    return bench::NanosecondsSince(start) / static_cast<double>(rounds);
  });
}

// Per record, in batches as the pump seals them.
void MeasureBatches(bench::Bench& bench) {
  const std::size_t rounds = bench.Scale(20'000);
  std::vector<std::byte> row(FlowSchema().row_size());
  TypedRow<Flow>::Encode(MakeFlow(7), row.data());
  BatchBuilder builder(FlowSchema(), 1);
  while (builder.Put(row)) {}
  const auto records = static_cast<double>(rounds * builder.size());
  bench.Run("record.seal_ns", "ns", [&] {
    const auto start = bench::Now();
    for (std::size_t round = 0; round < rounds; ++round) {
      KeepMemory(builder.Seal(1, round + 1, UnixTime()).bytes().data());
    }
    return bench::NanosecondsSince(start) / records;
  });
  const std::span<const std::byte> bytes = builder.Seal(1, 1, UnixTime()).bytes();
  bench.Run("record.parse_ns", "ns", [&] {
    const auto start = bench::Now();
    BatchView view;
    for (std::size_t round = 0; round < rounds; ++round) {
      if (BatchView::TryParse(bytes, &view) != BatchRefusal::kNone) {
        bench.Fail("a batch was refused");
      }
      KeepMemory(&view);
    }
    return bench::NanosecondsSince(start) / records;
  });
}

}  // namespace
}  // namespace mimi

void BenchMain(mimi::bench::Bench& bench) {
  if (mimi::TypedRow<mimi::Session>::size() != 72) {
    bench.Fail("Session has not 72 bytes");
  }
  mimi::MeasureRows<mimi::Session>(bench, "", mimi::MakeSession);
  mimi::MeasureRows<mimi::Flow>(bench, ".flow", mimi::MakeFlow);
  mimi::MeasureCereal(bench);
  mimi::MeasureJson(bench);
  mimi::MeasureBatches(bench);
}
