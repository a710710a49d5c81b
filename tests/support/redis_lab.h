#ifndef MIMI_TESTS_SUPPORT_REDIS_LAB_H_
#define MIMI_TESTS_SUPPORT_REDIS_LAB_H_

// Redis deployments of a test's or benchmark's own: Sentinel with a master and two replicas, a
// Cluster of three masters and their replicas. Ports of loopback that were free a moment ago, a
// directory that goes with them, no process left behind.
//
//     RedisSentinelLab lab;
//     options = RedisStoreOptionsFromUrl(lab.url());
//     RedisNode& gone = lab.Master("");          // of the key's slot, in a Cluster
//     gone.Kill();
//     lab.UntilReplaced("", gone);
//     lab.Revive();                              // those that are gone come back as replicas
//
// What does not come up ends the program, with a word on standard error.
//
// Threads: one.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mimi {

/// Why there can be none; "" when there can.
std::string WhyNoRedis();

/// One redis-server on a port of its own.
class RedisNode {
 public:
  /// `arguments` of redis-server beside the port.
  RedisNode(std::string directory, std::uint16_t port, std::vector<std::string> arguments);
  ~RedisNode() { Kill(); }
  RedisNode(const RedisNode&) = delete;
  RedisNode& operator=(const RedisNode&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  bool running() const { return pid_ > 0; }
  /// Until it answers. `more` arguments for this time.
  void Start(const std::vector<std::string>& more = {});
  void Stop();  ///< as an operator would
  void Kill();
  void Signal(int signal) const;
  /// One command in words; the answer as it came. "" when there is none within two seconds.
  std::string Ask(std::string_view command) const;
  bool Says(std::string_view command, std::string_view part) const {
    return Ask(command).find(part) != std::string::npos;
  }

 private:
  void End(int signal);

  std::string directory_;
  std::uint16_t port_;
  std::vector<std::string> arguments_;
  pid_t pid_ = 0;
};

class RedisLab {
 public:
  virtual ~RedisLab();
  RedisLab(const RedisLab&) = delete;
  RedisLab& operator=(const RedisLab&) = delete;

  virtual std::string url() const = 0;
  const std::vector<std::unique_ptr<RedisNode>>& nodes() const { return nodes_; }
  /// Who is master now, of this key where it matters; nullptr: nobody.
  virtual RedisNode* Master(std::string_view key) = 0;
  /// Until another than `old` is.
  void UntilReplaced(std::string_view key, const RedisNode& old);
  /// Starts what was killed, and waits until all replicas are in step.
  virtual void Revive() = 0;

 protected:
  explicit RedisLab(std::size_t nodes, const std::vector<std::string>& arguments);
  /// Ends the program when that does not come true within 30 s.
  static void Until(const char* what, const std::function<bool()>& done);
  RedisNode& AddNode(std::vector<std::string> arguments);

  std::string directory_;
  std::vector<std::unique_ptr<RedisNode>> nodes_;
};

class RedisSentinelLab final : public RedisLab {
 public:
  /// Sentinel's down-after-milliseconds. A machine that is busy for so long sees masters die that
  /// live.
  explicit RedisSentinelLab(int down_after = 500);
  std::string url() const override;
  RedisNode* Master(std::string_view key) override;
  void Revive() override;
  RedisNode& sentinel(std::size_t i) { return *sentinels_[i]; }

 private:
  std::vector<std::unique_ptr<RedisNode>> sentinels_;
};

class RedisClusterLab final : public RedisLab {
 public:
  /// cluster-node-timeout, in milliseconds; the same is true of it.
  explicit RedisClusterLab(int node_timeout = 1000);
  std::string url() const override;
  RedisNode* Master(std::string_view key) override;
  void Revive() override;
  /// Moves the key's slot to another master; calls `between` after each of its keys.
  void MoveSlot(std::string_view key, const std::function<void()>& between);
};

}  // namespace mimi

#endif  // MIMI_TESTS_SUPPORT_REDIS_LAB_H_
