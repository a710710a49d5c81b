#include "tests/support/redis_lab.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <utility>

#include "src/base/unique_fd.h"

namespace mimi {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

sockaddr_in Loopback(unsigned port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return name;
}

bool IsFree(unsigned port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in name = Loopback(port);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

// Below the ports that the kernel hands out by itself, and with a free one for the Cluster's bus
// 10,000 above.
std::uint16_t FreePort() {
  static std::mt19937 random{std::random_device{}()};
  for (;;) {
    const auto port = static_cast<unsigned>(10'000 + random() % 12'000);
    if (IsFree(port) && IsFree(port + 10'000)) {
      return static_cast<std::uint16_t>(port);
    }
  }
}

// The last line of an answer.
std::string LastWord(std::string answer) {
  while (!answer.empty() && (answer.back() == '\n' || answer.back() == '\r')) {
    answer.pop_back();
  }
  return answer.substr(answer.rfind('\n') + 1);
}

}  // namespace

std::string WhyNoRedis() {
  return std::system("command -v redis-server >/dev/null && command -v redis-cli >/dev/null") == 0
             ? ""
             : "redis-server is not installed";
}

// ---- A server.

RedisNode::RedisNode(std::string directory, std::uint16_t port, std::vector<std::string> arguments)
    : directory_(std::move(directory)), port_(port), arguments_(std::move(arguments)) {
}

void RedisNode::Start(const std::vector<std::string>& more) {
  const std::string port = std::to_string(port_);
  std::vector<std::string> all = {"redis-server"};
  all.insert(all.end(), arguments_.begin(), arguments_.end());
  for (const char* word : {"--bind", "127.0.0.1", "--daemonize", "no", "--port"}) {
    all.emplace_back(word);
  }
  all.insert(all.end(), {port, "--dir", directory_, "--logfile", directory_ + "/log" + port});
  all.insert(all.end(), more.begin(), more.end());
  std::vector<char*> argv;
  for (std::string& argument : all) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  for (std::string answer; answer.empty() || answer.starts_with("-LOADING"); answer = Ask("PING")) {
    if (steady_clock::now() > deadline) {
      std::fprintf(stderr, "redis-server on port %u does not answer\n", unsigned{port_});
      std::abort();
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

void RedisNode::Stop() {
  End(SIGTERM);
}

void RedisNode::Kill() {
  End(SIGKILL);
}

void RedisNode::End(int signal) {
  if (pid_ > 0) {
    kill(pid_, signal);
    kill(pid_, SIGCONT);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
}

void RedisNode::Signal(int signal) const {
  kill(pid_, signal);
}

std::string RedisNode::Ask(std::string_view command) const {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {2, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in name = Loopback(port_);
  const std::string line = std::string(command) + "\r\n";
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
      send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
    return {};
  }
  std::string answer(std::size_t{64} << 10, '\0');
  const ssize_t got = recv(fd.get(), answer.data(), answer.size(), 0);
  answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return answer;
}

// ---- What both have.

RedisLab::RedisLab(std::size_t nodes, const std::vector<std::string>& arguments) {
  std::string pattern = (std::filesystem::temp_directory_path() / "mimi-redis-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    std::abort();
  }
  directory_ = pattern;
  for (std::size_t i = 0; i < nodes; ++i) {
    AddNode(arguments);
  }
}

RedisLab::~RedisLab() {
  nodes_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

RedisNode& RedisLab::AddNode(std::vector<std::string> arguments) {
  const std::uint16_t port = FreePort();
  const std::string directory = directory_ + "/" + std::to_string(port);
  std::filesystem::create_directory(directory);
  nodes_.push_back(std::make_unique<RedisNode>(directory, port, std::move(arguments)));
  nodes_.back()->Start();
  return *nodes_.back();
}

void RedisLab::Until(const char* what, const std::function<bool()>& done) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (steady_clock::now() > deadline) {
      std::fprintf(stderr, "redis: %s did not come within 30 s\n", what);
      std::abort();
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
}

void RedisLab::UntilReplaced(std::string_view key, const RedisNode& old) {
  Until("another master", [&] {
    const RedisNode* const master = Master(key);
    return master != nullptr && master != &old;
  });
}

// ---- Sentinel.

RedisSentinelLab::RedisSentinelLab(int down_after)
    : RedisLab(3, {"--save", "", "--repl-diskless-sync-delay", "0"}) {
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    nodes_[i]->Ask("REPLICAOF 127.0.0.1 " + std::to_string(nodes_[0]->port()));
  }
  Until("replicas", [this] {
    return nodes_[1]->Says("INFO replication", "master_link_status:up") &&
           nodes_[2]->Says("INFO replication", "master_link_status:up");
  });
  for (int i = 0; i < 3; ++i) {
    const std::uint16_t port = FreePort();
    const std::string directory = directory_ + "/" + std::to_string(port);
    std::filesystem::create_directory(directory);
    const std::string file = directory + "/sentinel.conf";
    std::ofstream(file) << "sentinel monitor mimi 127.0.0.1 " << nodes_[0]->port() << " 2\n"
                        << "sentinel down-after-milliseconds mimi " << down_after << "\n"
                        << "sentinel failover-timeout mimi 2000\n"
                        << "sentinel parallel-syncs mimi 2\n";
    sentinels_.push_back(
        std::make_unique<RedisNode>(directory, port, std::vector<std::string>{file, "--sentinel"}));
    sentinels_.back()->Start();
  }
  Until("sentinels that know each other and two replicas", [this] {
    for (const auto& sentinel : sentinels_) {
      const std::string answer = sentinel->Ask("INFO sentinel");
      if (answer.find("slaves=2,sentinels=3") == std::string::npos) {
        return false;
      }
    }
    return true;
  });
}

std::string RedisSentinelLab::url() const {
  std::string url = "redis-sentinel://";
  for (const auto& sentinel : sentinels_) {
    url += (sentinel == sentinels_.front() ? "" : ",") + sentinel->address();
  }
  return url + "/mimi";
}

RedisNode* RedisSentinelLab::Master(std::string_view) {
  for (const auto& sentinel : sentinels_) {
    const std::string port =
        LastWord(sentinel->running() ? sentinel->Ask("SENTINEL GET-MASTER-ADDR-BY-NAME mimi") : "");
    for (const auto& node : nodes_) {
      if (port == std::to_string(node->port())) {
        return node.get();
      }
    }
  }
  return nullptr;
}

void RedisSentinelLab::Revive() {
  for (const auto& node : nodes_) {
    if (!node->running()) {
      node->Start({"--replicaof", "127.0.0.1", std::to_string(Master("")->port())});
    }
  }
  Until("two replicas in step, known to all sentinels", [&] {
    const RedisNode* const master = Master("");  // on a busy machine another may follow at once
    for (const auto& node : nodes_) {
      if (node.get() != master && !node->Says("INFO replication", "master_link_status:up")) {
        return false;
      }
    }
    for (const auto& sentinel : sentinels_) {
      if (sentinel->running() && !sentinel->Says("INFO sentinel", "status=ok")) {
        return false;
      }
    }
    return true;
  });
}

// ---- Cluster.

RedisClusterLab::RedisClusterLab(int node_timeout)
    : RedisLab(6, {"--save", "", "--repl-diskless-sync-delay", "0", "--cluster-enabled", "yes",
                   "--cluster-node-timeout", std::to_string(node_timeout),
                   "--cluster-require-full-coverage", "no", "--cluster-migration-barrier", "5"}) {
  std::string command = "redis-cli --cluster create";
  for (const auto& node : nodes_) {
    command += " " + node->address();
  }
  command += " --cluster-replicas 1 --cluster-yes >'" + directory_ + "/create' 2>&1";
  if (std::system(command.c_str()) != 0) {
    std::fputs("redis-cli cannot make a cluster\n", stderr);
    std::abort();
  }
  Revive();
}

std::string RedisClusterLab::url() const {
  return "redis-cluster://" + nodes_[0]->address() + "," + nodes_[1]->address();
}

RedisNode* RedisClusterLab::Master(std::string_view key) {
  for (const auto& node : nodes_) {
    const std::string answer =
        node->running() ? node->Ask("EXISTS " + std::string(key)) : std::string();
    if (answer.starts_with(":")) {
      return node.get();
    }
  }
  return nullptr;
}

void RedisClusterLab::Revive() {
  for (const auto& node : nodes_) {
    if (!node->running()) {
      node->Start();
    }
  }
  Until("a cluster of three masters with a replica each", [this] {
    int in_step = 0;
    for (const auto& node : nodes_) {
      if (!node->Says("CLUSTER INFO", "cluster_state:ok")) {
        return false;
      }
      in_step += node->Says("INFO replication", "master_link_status:up") ? 1 : 0;
    }
    return in_step == 3;
  });
}

void RedisClusterLab::MoveSlot(std::string_view key, const std::function<void()>& between) {
  RedisNode* const from = Master(key);
  const auto id_of = [](const RedisNode& node) {
    return LastWord(node.Ask("CLUSTER MYID"));
  };
  RedisNode* to = nullptr;
  for (const auto& node : nodes_) {
    if (node.get() != from && node->Says("INFO replication", "role:master")) {
      to = node.get();
    }
  }
  const std::string slot =
      from->Ask("CLUSTER KEYSLOT " + std::string(key)).substr(1, std::string::npos);
  const std::string set = "CLUSTER SETSLOT " + slot.substr(0, slot.find('\r')) + " ";
  const std::string get = "CLUSTER GETKEYSINSLOT " + slot.substr(0, slot.find('\r')) + " 1";
  to->Ask(set + "IMPORTING " + id_of(*from));
  from->Ask(set + "MIGRATING " + id_of(*to));
  for (std::string answer = from->Ask(get); !answer.starts_with("*0"); answer = from->Ask(get)) {
    const std::string name = LastWord(answer);
    if (!from->Says("MIGRATE 127.0.0.1 " + std::to_string(to->port()) + " " + name + " 0 5000",
                    "+")) {
      std::fprintf(stderr, "redis: %s cannot be migrated\n", name.c_str());
      std::abort();
    }
    between();
  }
  for (RedisNode* const node : {to, from}) {
    node->Ask(set + "NODE " + id_of(*to));
  }
}

}  // namespace mimi
