#include "mimi/builtin/table_minion.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mimi/contract/minion_contract.h"

#include "tests/support/virtual_time.h"

namespace mimi::testing {
namespace {

StateSchema FlowSchema() {
  return *StateSchema::Builder("test.flows", 1)
              .Key("client", FieldType::kIpv4)
              .Key("port", FieldType::kPort)
              .Value("backend", FieldType::kIp)
              .Value("timer", FieldType::kDuration)
              .Soft()
              .Build();
}

class TableMinionUnderTest : public contract::MinionUnderTest {
 public:
  Loop& loop() override { return loop_; }
  Minion& minion() override { return *minion_; }
  std::optional<std::size_t> capacity() override { return 300; }
  void Advance(Duration by) override { time_.RunFor(by); }

 private:
  VirtualTime time_;
  VirtualLoop loop_{time_};
  Table table_{FlowSchema(), {.order = TableOrder::kArrival, .max_rows = 300}, loop_};
  std::unique_ptr<Minion> minion_ = NewTableMinion(table_, loop_);
};

MIMI_MINION_CONTRACT("table minion", [] { return std::make_unique<TableMinionUnderTest>(); })

struct TableMinionRig {
  VirtualTime time;
  VirtualLoop loop{time};
  Table table{FlowSchema(), {.order = TableOrder::kArrival}, loop};
};

TEST_CASE("table minion: the VNF is told, and its refusal is the answer") {
  TableMinionRig rig;
  std::string told;
  absl::Status answer = absl::UnavailableError("not yet");
  const auto tell = [&](std::string what) {
    return [&told, &answer, what = std::move(what)] {
      told += what + " ";
      return answer;
    };
  };
  const std::unique_ptr<Minion> minion = NewTableMinion(
      rig.table, rig.loop,
      {.on_warm = tell("warm"), .on_activate = tell("activate"), .on_retire = tell("retire")});
  absl::Status status;
  const auto done = [&status](const absl::Status& s) {
    status = s;
  };
  minion->Warm(done);
  minion->Activate(done);
  CHECK(told.empty());
  rig.time.RunFor(Duration(0));
  CHECK(told == "warm activate ");
  CHECK(status == answer);
  CHECK(!minion->state().active);
  answer = absl::OkStatus();
  minion->Activate(done);
  rig.time.RunFor(Duration(0));
  CHECK(status.ok());
  CHECK(minion->state().active);
  minion->Retire(done);
  rig.time.RunFor(Duration(0));
  CHECK(!minion->state().active);
}

TEST_CASE("table minion: an answer that comes after it is gone is dropped") {
  TableMinionRig rig;
  bool answered = false;
  NewTableMinion(rig.table, rig.loop)->Warm([&](const absl::Status&) { answered = true; });
  rig.time.RunFor(std::chrono::seconds(1));
  CHECK(!answered);
}

}  // namespace
}  // namespace mimi::testing
