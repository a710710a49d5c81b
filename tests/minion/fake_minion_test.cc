// The contract suite of minions, held against the fake that other tests rely on.

#include "tests/support/fake_minion.h"

#include <memory>

#include "mimi/contract/minion_contract.h"

#include "tests/support/virtual_time.h"

namespace mimi::testing {
namespace {

class FakeMinionUnderTest : public contract::MinionUnderTest {
 public:
  FakeMinionUnderTest() : minion_(Schema(), loop_) { minion_.capacity = 300; }

  Loop& loop() override { return loop_; }
  Minion& minion() override { return minion_; }
  std::optional<std::size_t> capacity() override { return 300; }
  void Advance(Duration by) override { time_.RunFor(by); }

 private:
  static StateSchema Schema() {
    return *StateSchema::Builder("test.flows", 1)
                .Key("client", FieldType::kIpv4)
                .Key("port", FieldType::kPort)
                .Value("backend", FieldType::kIp)
                .Value("open", FieldType::kBool)
                .Value("name", FieldType::kText, 12)
                .Value("timer", FieldType::kDuration)
                .Soft()
                .Build();
  }
  VirtualTime time_;
  VirtualLoop loop_{time_};
  FakeMinion minion_;
};

MIMI_MINION_CONTRACT("fake minion", [] { return std::make_unique<FakeMinionUnderTest>(); })

}  // namespace
}  // namespace mimi::testing
