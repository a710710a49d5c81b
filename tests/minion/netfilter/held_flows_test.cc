#include "src/minion/netfilter/held_flows.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <set>

#include <doctest/doctest.h>

namespace mimi::internal {
namespace {

HeldFlows::Key KeyOf(std::uint32_t number) {
  HeldFlows::Key key = {};
  for (std::size_t i = 0; i < 4; ++i) {
    key[10 + i] = static_cast<std::byte>(number >> (8 * i));
  }
  return key;
}

TEST_CASE("held flows: what was touched longest ago is the oldest") {
  HeldFlows flows(1);
  CHECK(flows.Oldest() == nullptr);
  for (std::uint32_t i = 0; i < 5; ++i) {
    REQUIRE(flows.Touch(KeyOf(i)) != nullptr);
  }
  flows.Touch(KeyOf(0));
  CHECK(flows.Oldest()->key == KeyOf(1));
  flows.Forget(KeyOf(1));
  flows.Forget(KeyOf(1));
  flows.Forget(KeyOf(77));
  CHECK(flows.Oldest()->key == KeyOf(2));
  CHECK(flows.size() == 4);
  flows.Clear();
  CHECK(flows.size() == 0);
  CHECK(flows.Find(KeyOf(2)) == nullptr);
}

TEST_CASE("held flows: they follow a list that is kept the slow way") {
  const std::uint32_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  HeldFlows flows(seed);
  std::deque<std::uint32_t> model;  // oldest first
  for (int step = 0; step < 20'000; ++step) {
    const auto number = static_cast<std::uint32_t>(random() % 3000);
    const auto at = std::find(model.begin(), model.end(), number);
    CHECK((flows.Find(KeyOf(number)) != nullptr) == (at != model.end()));
    if (at != model.end()) {
      model.erase(at);
    }
    if (random() % 3 == 0) {
      flows.Forget(KeyOf(number));
    } else {
      flows.Touch(KeyOf(number))->translation = number;
      model.push_back(number);
    }
    REQUIRE(flows.size() == model.size());
    if (!model.empty()) {
      REQUIRE(flows.Oldest()->key == KeyOf(model.front()));
      REQUIRE(flows.Oldest()->translation == model.front());
    }
  }
}

}  // namespace
}  // namespace mimi::internal
