#ifndef MIMI_TESTS_SUPPORT_NET_NAMESPACE_H_
#define MIMI_TESTS_SUPPORT_NET_NAMESPACE_H_

// Network namespaces for tests and benches that need real packets (ctest label `root`).
//
//   NetNamespace client, box, server;
//   Connect(client, "c0", box, "b0");                       // a veth pair, both ends up
//   client.Run("ip addr add 10.1.0.2/24 dev c0; ip route add default via 10.1.0.1");
//   box.Sysctl("net/ipv4/ip_forward", "1");
//   box.Nft("table ip nat { chain pre { type nat hook prerouting priority dstnat; } }");
//   int fd = client.Inside([] { return socket(AF_INET, SOCK_STREAM, 0); });   // stays inside
//   Process echo = server.Spawn({"python3", "echo.py", "7"});
//
// A namespace has no name: it is held by a descriptor of this process alone, so that also a test
// that is killed leaves nothing behind (processes in it die with their parent). `lo` is up.
//
// What goes wrong throws std::runtime_error with the command and its output: a test case fails with
// that text, a bench ends with it. Programs whose tests need all this are declared with
// mimi_test(… ROOT): they exit with 77 (skipped) where namespaces cannot be made.
//
// Threads: Inside() moves the calling thread only; the rest may be called by any.
// Lifetime: a namespace lives until its NetNamespace, every socket made inside and every process
// spawned in it are gone; destroying one destroys its end of every veth pair.

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mimi::testing {

/// Empty where namespaces can be made and nft runs in them, else why not.
std::string WhyNoNamespaces();

/// A child that is killed (SIGKILL) and waited for by its owner.
class Process {
 public:
  Process() = default;
  explicit Process(pid_t pid) : pid_(pid) {}
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Process& operator=(Process&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~Process() { Kill(); }

  pid_t pid() const { return pid_; }
  void Kill();
  /// The exit status as a shell shows it (128 + n after signal n). Waits for at most `seconds`,
  /// then throws.
  int Wait(double seconds = 20);

 private:
  pid_t pid_ = 0;
};

class NetNamespace {
 public:
  NetNamespace();
  ~NetNamespace();
  NetNamespace(const NetNamespace&) = delete;
  NetNamespace& operator=(const NetNamespace&) = delete;

  int fd() const { return fd_; }
  /// For `ip link … netns PATH` and for other processes of this user: /proc/PID/fd/N.
  std::string path() const;

  /// Runs a shell command inside (`sh -euc`, 20 s at most) and returns what it printed, stderr
  /// included. Throws when it fails.
  std::string Run(std::string_view command) const;
  /// The same, with `input` as its standard input.
  std::string Run(std::string_view command, std::string_view input) const;
  /// `nft -f -`.
  void Nft(std::string_view ruleset) const { Run("nft -f -", ruleset); }
  /// Writes /proc/sys/NAME, as in Sysctl("net/netfilter/nf_conntrack_tcp_loose", "0").
  void Sysctl(std::string_view name, std::string_view value) const;
  std::string Sysctl(std::string_view name) const;
  /// Starts a program inside; its streams are the caller's. It dies with the calling thread.
  Process Spawn(const std::vector<std::string>& command) const;

  /// Calls `work` with the calling thread inside, and returns what it returns. Sockets made there
  /// stay in the namespace.
  template <class Work>
  auto Inside(Work&& work) const {
    const Visit visit(fd_);
    return std::forward<Work>(work)();
  }

 private:
  class Visit {
   public:
    explicit Visit(int fd);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    int home_;
  };

  int fd_ = -1;
};

/// A veth pair from `device_a` in `a` to `device_b` in `b`, both up, without addresses.
void Connect(const NetNamespace& a, std::string_view device_a, const NetNamespace& b,
             std::string_view device_b);

}  // namespace mimi::testing

#endif  // MIMI_TESTS_SUPPORT_NET_NAMESPACE_H_
