#include "src/store/redis/redis_route.h"

#include <algorithm>
#include <string>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

using Deployment = RedisStoreOptions::Deployment;

constexpr std::size_t kMostNodes = 1024;

// Sentinels are asked with a login of their own, and have no databases.
RedisStoreOptions ForSentinels(RedisStoreOptions options) {
  options.user = options.sentinel_user;
  options.password = options.sentinel_password;
  options.database = 0;
  return options;
}

}  // namespace

RedisRoute::RedisRoute(const RedisStoreOptions& options, Loop& loop)
    : options_(options),
      loop_(loop),
      sentinel_options_(ForSentinels(options)),
      nodes_(options.addresses) {
}

void RedisRoute::Find(Found found) {
  found_ = std::move(found);
  switch (options_.deployment) {
    case Deployment::kStandalone:
      Deliver(options_.addresses.front());
      return;
    case Deployment::kSentinel:
      tried_ = 0;
      AskSentinel();
      return;
    case Deployment::kCluster:
      if (next_.has_value()) {
        asking_ = next_->ask;
        Deliver(std::exchange(next_, std::nullopt)->to);
      } else {
        asking_ = false;
        Deliver(nodes_[turn_++ % nodes_.size()]);
      }
      return;
  }
}

void RedisRoute::Deliver(const absl::StatusOr<RedisAddress>& found) {
  if (const Found waiting = std::exchange(found_, {}); waiting) {
    waiting(found);
  }
}

// ---- Sentinel.

void RedisRoute::AskSentinel() {
  if (sentinel_ == nullptr) {
    sentinel_ =
        std::make_unique<RedisConnection>(sentinel_options_, options_.addresses[at_], loop_);
    sentinel_->Start([this](const absl::Status& why) { NextSentinel(why); });
  }
  sentinel_->Send({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options_.service},
                  [this](const RedisReply& reply) { OnMaster(reply.view()); });
}

void RedisRoute::OnMaster(RedisValue answer) {
  if (answer.is_error()) {
    sentinel_->End(sentinel_->Failure(RedisTrouble(answer.text()), answer.text()));
    return;
  }
  const std::uint64_t port = answer[1].number();
  if (answer[0].text().empty() || port == 0 || port > 65535) {
    sentinel_->End(sentinel_->Failure("no such master", options_.service));
    return;
  }
  Deliver(RedisAddress{.host = std::string(answer[0].text()),
                       .port = static_cast<std::uint16_t>(port)});
}

void RedisRoute::NextSentinel(const absl::Status& why) {
  sentinel_.reset();
  at_ = (at_ + 1) % options_.addresses.size();
  if (!found_) {
    return;
  }
  if (++tried_ < options_.addresses.size()) {
    AskSentinel();
  } else {
    Deliver(Prepend("no sentinel", why));
  }
}

// ---- Cluster.

bool RedisRoute::Follow(std::string_view error, const RedisAddress& from) {
  if (options_.deployment != Deployment::kCluster) {
    return false;
  }
  std::optional<RedisRedirection> redirection = ParseRedirection(error, from.host);
  if (!redirection.has_value()) {
    return false;
  }
  next_ = std::move(redirection);
  return true;
}

// [first slot, last slot, [address, port, id, …] of the master, the same of each replica], …
void RedisRoute::Learn(RedisValue slots, const RedisAddress& from) {
  nodes_ = options_.addresses;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    for (std::size_t node = 2; node < slots[i].size(); ++node) {
      LearnNode(slots[i][node], from);
    }
  }
}

void RedisRoute::LearnNode(RedisValue node, const RedisAddress& from) {
  const std::string_view host = node[0].text();
  const std::uint64_t port = node[1].number();
  if (port == 0 || port > 65535 || nodes_.size() >= kMostNodes) {
    return;
  }
  const RedisAddress address{.host = host.empty() || host == "?" ? from.host : std::string(host),
                             .port = static_cast<std::uint16_t>(port)};
  if (std::find(nodes_.begin(), nodes_.end(), address) == nodes_.end()) {
    nodes_.push_back(address);
  }
}

}  // namespace mimi::internal
