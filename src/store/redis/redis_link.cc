#include "src/store/redis/redis_link.h"

#include <random>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/io/redis_words.h"

namespace mimi::internal {
namespace {

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
      backoff_(options.retry_min, options.retry_max, Random()) {
}

RedisLink::~RedisLink() {
  loop_.Cancel(retry_);
}

void RedisLink::Connect() {
  const auto connection = [this] {
    auto made = std::make_unique<RedisConnection>(options_, options_.addresses.front(), loop_);
    made->Start([this](const absl::Status& why) { Down(why); });
    return made;
  };
  commands_ = connection();
  feed_ = connection();
  Prepare();
}

void RedisLink::Prepare() {
  for (std::size_t i = 0; i < kScripts; ++i) {
    const std::string_view load[] = {"SCRIPT", "LOAD", ScriptText(static_cast<Script>(i))};
    SendOn(*commands_, load, [this, i](RedisValue hash) { hashes_[i] = hash.text(); }, {});
  }
  const std::string_view info[] = {"INFO"};
  SendOn(*commands_, info, [this](RedisValue text) { OnInfo(text.text()); }, {});
}

void RedisLink::OnInfo(std::string_view info) {
  if (InfoField(info, "role") == "slave") {
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
  if (!hindered_) {
    backoff_.Reset();
    trouble_ = absl::OkStatus();
  }
  owner_.OnUp(*facts);
}

void RedisLink::SendOn(RedisConnection& connection, Arguments arguments, Answer done,
                       Duration patience) {
  connection.Send(
      arguments,
      [this, done = std::move(done)](const RedisReply& reply) {
        if (reply.view().is_error()) {
          const std::string_view text = reply.view().text();
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
  loop_.Cancel(retry_);
  retry_ = loop_.At(loop_.now() + backoff_.Next(), [this] { Connect(); });
  owner_.OnDown();
}

}  // namespace mimi::internal
