#include "src/io/network_namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>

#include "src/base/status.h"
#include "src/io/child_process.h"

namespace mimi {
namespace {

constexpr char kSysctls[] = "/proc/sys/net/netfilter/";

std::optional<Ip> AddressOf(const sockaddr* address) {
  if (address != nullptr && address->sa_family == AF_INET) {
    Ipv4 v4;
    std::memcpy(v4.octets.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return Ip(v4);
  }
  if (address != nullptr && address->sa_family == AF_INET6) {
    Ipv6 v6;
    std::memcpy(v6.octets.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return Ip(v6);
  }
  return std::nullopt;
}

std::uint32_t LongestTimeout() {
  constexpr std::uint64_t kMost = 20 * 24 * 3600;
  std::uint64_t longest = 0;
  DIR* directory = opendir(kSysctls);
  if (directory == nullptr) {
    return 0;
  }
  while (const dirent* file = readdir(directory)) {
    if (std::string_view(file->d_name).find("_timeout") == std::string_view::npos) {
      continue;
    }
    const absl::StatusOr<std::string> text = ReadSysctl(file->d_name);
    std::uint64_t value = 0;
    if (text.ok()) {
      std::from_chars(text->data(), text->data() + text->size(), value);
    }
    longest = std::max(longest, value);
  }
  closedir(directory);
  return static_cast<std::uint32_t>(std::min(longest, kMost));
}

}  // namespace

absl::StatusOr<NetworkNamespace> NetworkNamespace::Open(const std::string& name) {
  NetworkNamespace inside;
  const std::string path = name.empty()          ? "/proc/self/ns/net"
                           : name.front() == '/' ? name
                                                 : "/run/netns/" + name;
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat about = {};
  if (!fd.valid() || fstat(fd.get(), &about) != 0) {
    return Error(absl::StatusCode::kNotFound, "network namespace {}: {}", path,
                 std::strerror(errno));
  }
  inside.id_ = about.st_ino;
  if (!name.empty()) {
    inside.fd_ = std::make_shared<UniqueFd>(std::move(fd));
  }
  return inside;
}

absl::Status NetworkNamespace::Do(const std::function<void()>& work) const {
  if (fd_ == nullptr) {
    work();
    return absl::OkStatus();
  }
  int error = 0;
  std::thread([&] {
    if (setns(fd_->get(), CLONE_NEWNET) != 0) {
      error = errno;
      return;
    }
    work();
  }).join();
  return error == 0 ? absl::OkStatus()
                    : Error(absl::StatusCode::kFailedPrecondition,
                            "cannot enter the network namespace (CAP_SYS_ADMIN is needed): {}",
                            std::strerror(error));
}

absl::StatusOr<std::string> NetworkNamespace::RunProgram(const std::vector<std::string>& command,
                                                         const std::string& input) const {
  absl::StatusOr<std::string> output;
  if (absl::Status status = Do([&] { output = RunChild(command, input); }); !status.ok()) {
    return status;
  }
  return output;
}

absl::StatusOr<LocalAddresses> NetworkNamespace::Addresses() const {
  LocalAddresses local;
  int error = 0;
  const absl::Status status = Do([&] {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) {
      error = errno;
      return;
    }
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
      if (const std::optional<Ip> ip = AddressOf(at->ifa_addr); ip.has_value()) {
        local.Add(*ip);
      }
    }
    freeifaddrs(list);
  });
  if (!status.ok()) {
    return status;
  }
  if (error != 0) {
    return Error(absl::StatusCode::kUnavailable, "cannot list the box's addresses: {}",
                 std::strerror(error));
  }
  return local;
}

absl::StatusOr<std::string> ReadSysctl(const std::string& name) {
  const UniqueFd fd(open((kSysctls + name).c_str(), O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t size = fd.valid() ? read(fd.get(), text, sizeof(text)) : -1;
  if (size < 0) {
    return Error(
        errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kFailedPrecondition,
        "sysctl net.netfilter.{}: {}", name, std::strerror(errno));
  }
  std::string value(text, static_cast<std::size_t>(size));
  value.erase(std::find_if(value.begin(), value.end(), [](char c) { return c <= ' '; }),
              value.end());
  return value;
}

absl::Status WriteSysctl(const std::string& name, const std::string& value) {
  const UniqueFd fd(open((kSysctls + name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || write(fd.get(), value.data(), value.size()) < 0) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "sysctl net.netfilter.{} = {} (CAP_NET_ADMIN is needed): {}", name, value,
                 std::strerror(errno));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint32_t> LongestConntrackTimeout(const NetworkNamespace& inside) {
  std::uint32_t longest = 0;
  const absl::Status entered = inside.Do([&] { longest = LongestTimeout(); });
  if (!entered.ok()) {
    return entered;
  }
  return longest;
}

}  // namespace mimi
