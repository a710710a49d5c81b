#include "src/store/redis/redis_link.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/io/redis_words.h"

namespace mimi::internal {
namespace {

using Deployment = RedisStoreOptions::Deployment;

// Where another server takes over by itself, it is looked for often.
constexpr Duration kLongestWait = std::chrono::milliseconds(250);
constexpr Duration kWatchMaster = std::chrono::milliseconds(500);
// Redirections that are followed at once; more of them are a Cluster that does not agree with
// itself yet.
constexpr unsigned kMostRedirections = 5;

Duration LongestWait(const RedisStoreOptions& options) {
  return options.deployment == Deployment::kStandalone
             ? options.retry_max
             : std::max(options.retry_min, std::min(options.retry_max, kLongestWait));
}

std::uint64_t Random() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// The value of "name:value" in INFO's lines.
std::string_view InfoField(std::string_view info, std::string_view name) {
  for (std::size_t at = info.find(name); at != std::string_view::npos;
       at = info.find(name, at + 1)) {
    const bool begins = at == 0 || info[at - 1] == '\n';
    if (begins && info.substr(at + name.size()).starts_with(':')) {
      const std::string_view value = info.substr(at + name.size() + 1);
      return value.substr(0, value.find_first_of("\r\n"));
    }
  }
  return {};
}

// Errors after which reading goes on working, so that being connected again proves nothing.
bool Hinders(std::string_view state) {
  return state == "out of memory" || state == "cannot save" || state == "not enough replicas" ||
         state == "wrong type" || state == "no permission";
}

}  // namespace

RedisLink::RedisLink(const RedisStoreOptions& options, const RedisKeys& keys, Loop& loop,
                     RedisLinkOwner& owner)
    : options_(options),
      keys_(keys),
      loop_(loop),
      owner_(owner),
      backoff_(options.retry_min, LongestWait(options), Random()),
      route_(options, loop) {
}

RedisLink::~RedisLink() {
  loop_.Cancel(retry_);
  loop_.Cancel(watch_);
}

void RedisLink::Connect() {
  retry_ = 0;
  route_.Find([this](const absl::StatusOr<RedisAddress>& found) {
    if (found.ok()) {
      ConnectTo(*found);
    } else {
      Down(found.status());
    }
  });
}

void RedisLink::ConnectTo(const RedisAddress& address) {
  address_ = address;
  const auto connection = [this] {
    auto made = std::make_unique<RedisConnection>(options_, address_, loop_);
    made->Start([this](const absl::Status& why) { Down(why); });
    return made;
  };
  commands_ = connection();
  feed_ = connection();
  Prepare();
}

void RedisLink::WatchMaster() {
  loop_.Cancel(watch_);
  watch_ = loop_.At(loop_.now() + kWatchMaster, [this] {
    watch_ = 0;
    route_.Find([this](const absl::StatusOr<RedisAddress>& found) {
      if (found.ok() && *found != address_) {
        Fail("moved", "the master is " + ToString(*found) + " now");
      } else if (up_) {
        WatchMaster();
      }
    });
  });
}

void RedisLink::Prepare() {
  if (options_.deployment == Deployment::kCluster) {
    const std::string_view slots[] = {"CLUSTER", "SLOTS"};
    SendOn(*commands_, slots, [this](RedisValue values) { route_.Learn(values, address_); }, {});
  }
  for (std::size_t i = 0; i < kScripts; ++i) {
    const std::string_view load[] = {"SCRIPT", "LOAD", ScriptText(static_cast<Script>(i))};
    SendOn(*commands_, load, [this, i](RedisValue hash) { hashes_[i] = hash.text(); }, {});
  }
  const std::string_view info[] = {"INFO"};
  SendOn(*commands_, info, [this](RedisValue text) { OnInfo(text.text()); }, {});
}

void RedisLink::OnInfo(std::string_view info) {
  // (A replica of a Cluster answers with who is the master.)
  if (InfoField(info, "role") == "slave" && options_.deployment != Deployment::kCluster) {
    Fail("read-only replica", "its master is " + std::string(InfoField(info, "master_host")));
    return;
  }
  const std::string_view run_id = InfoField(info, "run_id");
  if (run_id.empty()) {
    Fail("not Redis", "INFO shows no run_id");
    return;
  }
  has_replicas_ = InfoField(info, "connected_slaves") != "0";
  const std::string_view keys[] = {keys_.pair,    keys_.feed,    keys_.terms,
                                   keys_.writers, keys_.schemas, keys_.tables};
  const std::string incarnation = HexId(Random() | 1);  // 0 means unknown
  const std::string_view arguments[] = {run_id, incarnation, options_.create ? "1" : "0"};
  Run(Script::kHello, keys, arguments, [this](RedisValue answer) { OnHello(answer); });
}

void RedisLink::OnHello(RedisValue answer) {
  if (answer[0].text() == "absent") {
    commands_->End(
        Error(absl::StatusCode::kNotFound, "no repository of the pair {} there", options_.pair));
    return;
  }
  if (answer[0].text() == "format") {
    commands_->End(Error(absl::StatusCode::kFailedPrecondition,
                         "{}: format {}, this program knows format 1", keys_.pair,
                         answer[1].text()));
    return;
  }
  const std::optional<RedisFacts> facts = RedisFacts::Read(answer, 1);
  if (!facts.has_value()) {
    Fail("damaged", keys_.pair + " is not what we write");
    return;
  }
  up_ = true;
  redirections_ = 0;
  if (options_.deployment == Deployment::kSentinel) {
    WatchMaster();
  }
  if (!hindered_) {
    backoff_.Reset();
    trouble_ = absl::OkStatus();
  }
  owner_.OnUp(*facts);
}

void RedisLink::SendOn(RedisConnection& connection, Arguments arguments, Answer done,
                       Duration patience) {
  if (route_.asking()) {
    connection.Send({"ASKING"}, [](const RedisReply&) {});
  }
  connection.Send(
      arguments,
      [this, done = std::move(done)](const RedisReply& reply) {
        if (reply.view().is_error()) {
          const std::string_view text = reply.view().text();
          route_.Follow(text, address_);
          Fail(RedisTrouble(text), text);
        } else {
          done(reply.view());
        }
      },
      patience);
}

void RedisLink::Run(Script script, Arguments keys, Arguments arguments, Answer done) {
  const std::string count = std::to_string(keys.size());
  std::vector<std::string_view> all = {"EVALSHA", hashes_[static_cast<std::size_t>(script)], count};
  all.insert(all.end(), keys.begin(), keys.end());
  all.insert(all.end(), arguments.begin(), arguments.end());
  SendOn(*commands_, all, std::move(done), {});
}

void RedisLink::Send(Arguments arguments, Answer done, Duration patience) {
  SendOn(*commands_, arguments, std::move(done), patience);
}

void RedisLink::SendToFeed(Arguments arguments, Answer done, Duration patience) {
  SendOn(*feed_, arguments, std::move(done), patience);
}

void RedisLink::Fail(std::string_view state, std::string_view detail) {
  hindered_ = hindered_ || Hinders(state);
  if (commands_ != nullptr) {
    commands_->End(commands_->Failure(state, detail));
  }
}

void RedisLink::Worked() {
  if (std::exchange(hindered_, false)) {
    backoff_.Reset();
    trouble_ = absl::OkStatus();
  }
}

void RedisLink::Down(const absl::Status& why) {
  commands_.reset();
  feed_.reset();
  up_ = false;
  trouble_ = why;
  loop_.Cancel(watch_);
  watch_ = 0;
  loop_.Cancel(retry_);
  const bool at_once = route_.follows() && ++redirections_ <= kMostRedirections;
  const Duration wait = at_once ? Duration::zero() : backoff_.Next();
  retry_ = loop_.At(loop_.now() + wait, [this] { Connect(); });
  owner_.OnDown();
}

}  // namespace mimi::internal
