// What standby changes in a namespace, and that all of it can be undone.

#include "src/minion/netfilter/standby.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "src/base/status.h"
#include "src/minion/netfilter/originals.h"
#include "tests/store/temporary_directory.h"
#include "tests/support/net_namespace.h"

namespace mimi::internal {
namespace {

using testing::NetNamespace;

constexpr char kLoose[] = "net/netfilter/nf_conntrack_tcp_loose";
constexpr char kLiberal[] = "net/netfilter/nf_conntrack_tcp_be_liberal";

struct Box {
  Box() {
    options.pair = "edge-1.a";
    options.network_namespace = name_space.path();
    options.state_directory = directory.Join("state");
  }
  std::string Saved() const {
    const absl::StatusOr<Originals> originals =
        Originals::Load(options.state_directory, options.pair, inside.id());
    REQUIRE(originals.ok());
    if (!originals->exists()) {
      return "";
    }
    struct stat about = {};
    REQUIRE(stat(originals->path().c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    std::string text;
    for (const auto& [name, value] : originals->values()) {
      text += name + "=" + value + " ";
    }
    return text;
  }
  std::string Bad() const {
    const absl::StatusOr<std::vector<NetfilterCheck>> checks = CheckStandby(options, inside);
    REQUIRE(checks.ok());
    REQUIRE(checks->size() == 4);
    std::string bad;
    for (const NetfilterCheck& check : *checks) {
      CHECK(!check.why.empty());
      bad += check.good ? "" : check.what + ": " + check.seen + "; ";
    }
    return bad;
  }

  NetNamespace name_space;
  TemporaryDirectory directory;
  NetfilterMinionOptions options;
  NetworkNamespace inside = *NetworkNamespace::Open(name_space.path());
};

TEST_CASE("standby: all is there afterwards, and everything is as before once it is undone") {
  Box box;
  CHECK(box.Bad().find("rule that drops") != std::string::npos);
  const absl::Status made = MakeStandby(box.options, box.inside);
  REQUIRE_MESSAGE(made.ok(), made.ToString());
  CHECK(box.Bad() == "");
  CHECK(box.Saved() == "nf_conntrack_tcp_be_liberal=0 nf_conntrack_tcp_loose=1 ");
  box.name_space.Nft("table ip operator {\n}\n");

  REQUIRE(MakeStandby(box.options, box.inside).ok());
  CHECK(box.Saved() == "nf_conntrack_tcp_be_liberal=0 nf_conntrack_tcp_loose=1 ");

  const absl::Status undone = UndoStandby(box.options, box.inside);
  REQUIRE_MESSAGE(undone.ok(), undone.ToString());
  CHECK(box.name_space.Sysctl(kLoose) == "1");
  CHECK(box.name_space.Sysctl(kLiberal) == "0");
  CHECK(box.name_space.Run("nft list tables") == "table ip operator\n");
  CHECK(box.Saved() == "");
  CHECK(absl::IsNotFound(UndoStandby(box.options, box.inside)));
}

TEST_CASE("standby: what an operator had set before, or sets meanwhile, is what is put back") {
  Box box;
  box.name_space.Nft(
      "table ip x {\nchain c {\ntype filter hook input priority 0; ct state new;\n}\n}\n");
  box.name_space.Sysctl(kLoose, "0");
  REQUIRE(MakeStandby(box.options, box.inside).ok());
  CHECK(box.Saved() == "nf_conntrack_tcp_be_liberal=0 nf_conntrack_tcp_loose=0 ");
  box.name_space.Sysctl(kLoose, "1");
  CHECK(box.Bad() == "sysctl net.netfilter.nf_conntrack_tcp_loose: 1; ");
  REQUIRE(MakeStandby(box.options, box.inside).ok());
  CHECK(box.name_space.Sysctl(kLoose) == "0");
  REQUIRE(UndoStandby(box.options, box.inside).ok());
  CHECK(box.name_space.Sysctl(kLoose) == "1");
}

TEST_CASE("standby: what was saved elsewhere does not count here, and a damaged file is an error") {
  Box box;
  REQUIRE(MakeStandby(box.options, box.inside).ok());
  Box other;
  other.options.state_directory = box.options.state_directory;
  CHECK(other.Saved() == "");
  REQUIRE(MakeStandby(other.options, other.inside).ok());
  CHECK(box.Saved() != "");

  const absl::StatusOr<Originals> originals =
      Originals::Load(box.options.state_directory, box.options.pair, box.inside.id());
  REQUIRE(originals.ok());
  std::ofstream(originals->path()) << "something else\n";
  const absl::Status status = MakeStandby(box.options, box.inside);
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(status).find(originals->path()) != std::string_view::npos);
}

TEST_CASE("standby: options that cannot be are refused by name") {
  const auto refused = [](NetfilterMinionOptions options) {
    return std::string(Message(CheckStandbyOptions(options)));
  };
  CHECK(CheckStandbyOptions({}).ok());
  CHECK(refused({.pair = "a b"}).find("pair 'a b'") == 0);
  CHECK(refused({.pair = ""}).find("pair ''") == 0);
  CHECK(refused({.interfaces = {"eth0\" }"}}).find("interface") == 0);
  CHECK(refused({.reserve_percent = 91}).find("reserve_percent 91") == 0);
  CHECK(refused({.state_directory = "here"}).find("state_directory 'here'") == 0);
}

TEST_CASE("standby: a program that is not there, or fails, is named") {
  Box box;
  box.options.nft_program = "/nonexistent/nft";
  CHECK(Message(MakeStandby(box.options, box.inside)).find("/nonexistent/nft") !=
        std::string_view::npos);
  CHECK(absl::IsNotFound(NetworkNamespace::Open("no-such-namespace-here").status()));
}

}  // namespace
}  // namespace mimi::internal
