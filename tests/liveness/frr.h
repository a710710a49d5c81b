#ifndef MIMI_TESTS_LIVENESS_FRR_H_
#define MIMI_TESTS_LIVENESS_FRR_H_

// FRR's bfdd, with the zebra that it cannot do without, in a namespace of its own and with every
// file in a directory of its own.
//
//   NetNamespace box;
//   Frr frr(box, "bfd\n peer 10.9.0.1\n  transmit-interval 100\n");
//   frr.Configure({"bfd", "peer 10.9.0.1", "shutdown"});
//   frr.Kill();                                                  // SIGKILL
//
// Threads: one at a time.

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/net_namespace.h"

namespace mimi::testing {

/// Empty where bfdd can be run, else why not.
inline std::string WhyNoFrr() {
  for (const char* program : {"/usr/lib/frr/bfdd", "/usr/lib/frr/zebra", "/usr/bin/vtysh"}) {
    if (access(program, X_OK) != 0) {
      return std::string("no ") + program + " (package frr)";
    }
  }
  return getpwnam("frr") == nullptr ? "no user frr (package frr)" : "";
}

class Frr {
 public:
  Frr(const NetNamespace& box, std::string_view bfd_configuration) : box_(box) {
    if (mkdtemp(directory_.data()) == nullptr) {
      throw std::runtime_error("mkdtemp");
    }
    std::ofstream(File("zebra.conf")).flush();
    std::ofstream(File("bfdd.conf")) << bfd_configuration;
    const passwd* const user = getpwnam("frr");
    if (chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::runtime_error("chown");
    }
    zebra_ = Start("zebra", "");
    Await(File("zserv"));
    bfdd_ = Start("bfdd", " --bfdctl " + File("bfdd.sock"));
    Await(File("bfdd.vty"));
  }
  ~Frr() {
    Kill();
    zebra_.Kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Frr(const Frr&) = delete;
  Frr& operator=(const Frr&) = delete;

  /// Lines as one types them below `configure terminal`.
  void Configure(std::initializer_list<std::string_view> lines) const {
    std::string command = Vtysh() + " -c 'configure terminal'";
    for (const std::string_view line : lines) {
      command += " -c '" + std::string(line) + "'";
    }
    box_.Run(command);
  }
  std::string Show(std::string_view what) const {
    return box_.Run(Vtysh() + " -c 'show " + std::string(what) + "'");
  }
  /// bfdd, with no time for a last word.
  void Kill() { bfdd_.Kill(); }

 private:
  std::string File(std::string_view name) const { return directory_ + "/" + std::string(name); }
  std::string Vtysh() const { return "vtysh --vty_socket " + directory_ + " -d bfdd"; }

  Process Start(const std::string& daemon, const std::string& more) const {
    return box_.Spawn({"sh", "-c",
                       "exec /usr/lib/frr/" + daemon + " -u frr -g frr -A 127.0.0.1 -P 0 -z " +
                           File("zserv") + " --vty_socket " + directory_ + " -i " +
                           File(daemon + ".pid") + " -f " + File(daemon + ".conf") + more + " >" +
                           File(daemon + ".log") + " 2>&1"});
  }
  void Await(const std::string& file) const {
    for (int i = 0; access(file.c_str(), F_OK) != 0; ++i) {
      if (i == 1000) {
        throw std::runtime_error(
            file + " does not come; logs: " + box_.Run("cat " + directory_ + "/*.log"));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  const NetNamespace& box_;
  std::string directory_ = "/tmp/mimi-frr-XXXXXX";
  Process zebra_, bfdd_;
};

}  // namespace mimi::testing

#endif  // MIMI_TESTS_LIVENESS_FRR_H_
