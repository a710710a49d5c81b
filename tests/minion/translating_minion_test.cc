#include "mimi/builtin/translating_minion.h"

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "mimi/builtin/table_minion.h"
#include "mimi/flow.h"
#include "mimi/json.h"
#include "mimi/table.h"

namespace mimi {
namespace {

StateSchema LbFlow() {
  return *StateSchema::Builder("lb.flow", 1)
              .Key("client_ip", FieldType::kIpv4)
              .Key("client_port", FieldType::kPort)
              .Value("backend_ip", FieldType::kIpv4)
              .Build();
}

FlowTranslation Mapping() {
  return {.fields = {{"protocol", "tcp"},
                     {"orig_src", "{client_ip}"},
                     {"orig_sport", "{client_port}"},
                     {"orig_dst", "203.0.113.1"},
                     {"orig_dport", "80"},
                     {"reply_src", "{backend_ip}"}},
          .source_kept = true,
          .port_kept = true};
}

struct Host {
  std::unique_ptr<Loop> loop = *NewEpollLoop();
  Table table{FlowSchema(), {.order = TableOrder::kArrival}};
  std::unique_ptr<Minion> minion =
      *NewTranslatingMinion(LbFlow(), Mapping(), NewTableMinion(table, *loop));
  BatchBuilder builder{LbFlow(), 7};

  void Apply(Op op, std::string_view json) {
    const auto row = *RowFromJson(LbFlow(), json);
    builder.Clear();
    if (op == Op::kPut) {
      builder.Put(row);
    } else {
      builder.Erase(std::span(row).first(LbFlow().key_size()), op);
    }
    CHECK(minion->Apply(builder.Seal(1, ++sequence, UnixTime{})).ok());
  }
  std::uint64_t sequence = 0;
};

constexpr std::string_view kRow =
    R"({"client_ip":"198.51.100.7","client_port":40000,"backend_ip":"10.0.0.5"})";

struct Rows final : AuditVisitor {
  void Row(std::span<const std::byte> row) override { rows.push_back(RowToJson(LbFlow(), row)); }
  void Finding(std::string_view kind, std::string_view /*detail*/) override {
    findings.emplace_back(kind);
  }
  std::vector<std::string> rows;
  std::vector<std::string> findings;
};

TEST_CASE("translation: a row of the operator's table is held as the flow that it stands for") {
  Host host;
  host.Apply(Op::kPut, kRow);
  Flow flow;
  std::size_t rows = 0;
  host.table.Walk(0, 1000, [&](std::span<const std::byte> row) {
    CHECK(DecodeRow(row, &flow));
    ++rows;
  });
  REQUIRE(rows == 1);
  CHECK(flow.protocol == IpProtocol::kTcp);
  CHECK(flow.orig_src == *Ip::Parse("198.51.100.7"));
  CHECK(flow.orig_dst == *Ip::Parse("203.0.113.1"));
  CHECK(flow.orig_dport == Port(80));
  CHECK(flow.reply_src == *Ip::Parse("10.0.0.5"));
  CHECK(flow.reply_sport == Port(80));
  CHECK(flow.reply_dst == flow.orig_src);
  CHECK(flow.reply_dport == Port(40000));
}

TEST_CASE("translation: an erase finds its flow by the key alone") {
  Host host;
  host.Apply(Op::kPut, kRow);
  host.Apply(Op::kErase, kRow);
  CHECK(host.table.state().rows == 0);
}

TEST_CASE("translation: an audit shows rows of the operator's table, and flows that are none") {
  Host host;
  host.Apply(Op::kPut, kRow);
  Flow foreign;
  foreign.protocol = IpProtocol::kUdp;
  foreign.orig_src = foreign.orig_dst = foreign.reply_src = *Ip::Parse("192.0.2.1");
  BatchBuilder builder(FlowSchema(), 9);
  std::vector<std::byte> row(FlowSchema().row_size());
  REQUIRE(EncodeRow(foreign, row));
  builder.Put(row);
  REQUIRE(host.table.Apply(builder.Seal(1, 1, UnixTime{})).ok());
  Rows seen;
  CHECK(*host.minion->Audit(seen, 1000));
  REQUIRE(seen.rows.size() == 1);
  CHECK(*RowFromJson(LbFlow(), seen.rows[0]) == *RowFromJson(LbFlow(), kRow));
  CHECK(seen.findings == std::vector<std::string>{"foreign"});
}

TEST_CASE("translation: mistakes are named, assumptions have to be said") {
  const auto mistake = [](const FlowTranslation& translation) {
    return std::string(CheckFlowTranslation(LbFlow(), translation).message());
  };
  FlowTranslation mapping = Mapping();
  CHECK(mistake(mapping).empty());
  mapping.source_kept = false;
  CHECK(mistake(mapping) ==
        "reply_dst: say what it is, or assume \"source_kept\"\n"
        "reply_dport: say what it is, or assume \"source_kept\"");
  mapping = Mapping();
  mapping.fields[1].second = "{clientip}";
  CHECK(mistake(mapping).starts_with(
      R"(orig_src: lb.flow has no field "clientip", did you mean "client_ip"?)"));
  mapping = Mapping();
  mapping.fields[3].second = "{backend_ip}";
  CHECK(mistake(mapping) == "orig_dst: is in the key, and backend_ip is not in the key of lb.flow");
  mapping = Mapping();
  mapping.fields[4].second = "web";
  CHECK(mistake(mapping).starts_with("orig_dport: is port, which \"web\" is not"));
}

}  // namespace
}  // namespace mimi
