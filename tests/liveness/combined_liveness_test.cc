#include "mimi/builtin/combined_liveness.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace mimi {
namespace {

class Puppet final : public Liveness {
 public:
  std::string_view name() const override { return "puppet"; }
  absl::Status Start(std::function<void(const LivenessEvent&)> report) override {
    report_ = std::move(report);
    return status;
  }
  void Stop() override { report_ = nullptr; }
  void Say(Health health, Side box = Side::kPrimary) {
    report_({.box = box, .health = health, .at = {}, .reason = std::string(HealthName(health))});
  }
  absl::Status status;

 private:
  std::function<void(const LivenessEvent&)> report_;
};

struct Rig {
  Rig(int down, int parts) {
    CombinedLivenessOptions options{.box = Side::kPrimary, .down = down};
    for (int i = 0; i < parts; ++i) {
      auto puppet = std::make_unique<Puppet>();
      puppets.push_back(puppet.get());
      options.parts.push_back(std::move(puppet));
    }
    combined = *NewCombinedLiveness(std::move(options));
    REQUIRE(combined->Start([this](const LivenessEvent& e) { events.push_back(e); }).ok());
  }
  Health last() const { return events.empty() ? Health::kUnknown : events.back().health; }

  std::vector<Puppet*> puppets;
  std::vector<LivenessEvent> events;
  std::unique_ptr<Liveness> combined;
};

TEST_CASE("combined: any, all and k of n") {
  for (const int needed : {1, 2, 3}) {
    CAPTURE(needed);
    Rig rig(needed == 3 ? 0 : needed, 3);
    for (Puppet* puppet : rig.puppets) {
      puppet->Say(Health::kUp);
    }
    CHECK(rig.last() == Health::kUp);
    CHECK(rig.events.size() == 1);
    for (int down = 1; down <= 3; ++down) {
      rig.puppets[static_cast<std::size_t>(down - 1)]->Say(Health::kDown);
      CHECK((rig.last() == Health::kDown) == (down >= needed));
    }
    CHECK(rig.events.size() == 2);
    rig.puppets[0]->Say(Health::kUp);
    CHECK((rig.last() == Health::kUp) == (needed == 3));
  }
}

TEST_CASE("combined: who knows nothing does not vote, and the other box is not ours") {
  Rig rig(0, 2);
  rig.puppets[0]->Say(Health::kDown);
  rig.puppets[1]->Say(Health::kDown, Side::kMinion);
  CHECK(rig.events.empty());
  rig.puppets[1]->Say(Health::kDown);
  REQUIRE(rig.last() == Health::kDown);
  CHECK(rig.events.back().reason == "2 of 2 down; down; down");
}

TEST_CASE("combined: needs parts, and no more of them than there are") {
  CHECK_FALSE(NewCombinedLiveness({}).ok());
  CombinedLivenessOptions options{.down = 2};
  options.parts.push_back(std::make_unique<Puppet>());
  CHECK(NewCombinedLiveness(std::move(options)).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace mimi
