#include "src/minion/netfilter/kernel_gauges.h"

#include <fcntl.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr char kDirectory[] = "/proc/sys/net/netfilter";

std::optional<std::uint64_t> ReadNumber(int fd) {
  char text[32];
  const ssize_t size = pread(fd, text, sizeof(text), 0);
  std::uint64_t value = 0;
  if (size <= 0 || std::from_chars(text, text + size, value).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

UniqueFd OpenSysctl(std::string_view name) {
  return UniqueFd(open(fmt::format("{}/{}", kDirectory, name).c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

absl::StatusOr<KernelGauges> KernelGauges::Open(const NetworkNamespace& inside) {
  KernelGauges gauges;
  const absl::Status entered = inside.Do([&] {
    gauges.count_ = OpenSysctl("nf_conntrack_count");
    gauges.max_ = OpenSysctl("nf_conntrack_max");
    gauges.loose_ = OpenSysctl("nf_conntrack_tcp_loose");
    gauges.liberal_ = OpenSysctl("nf_conntrack_tcp_be_liberal");
  });
  if (!entered.ok()) {
    return entered;
  }
  if (!gauges.count_.valid() || !gauges.max_.valid() || !gauges.loose_.valid() ||
      !gauges.liberal_.valid()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: nf_conntrack_* cannot be read: is connection tracking in this kernel?",
                 kDirectory);
  }
  return gauges;
}

KernelGauges::Fill KernelGauges::Read() const {
  return {.count = ReadNumber(count_.get()).value_or(0), .max = ReadNumber(max_.get()).value_or(0)};
}

std::string KernelGauges::Wrong() const {
  const auto wrong = [](const UniqueFd& fd, std::string_view name, std::uint64_t wanted) {
    const std::optional<std::uint64_t> seen = ReadNumber(fd.get());
    return seen == wanted ? ""
                          : fmt::format("sysctl net.netfilter.{} is {}, standby needs {}", name,
                                        seen.value_or(0), wanted);
  };
  const std::string loose = wrong(loose_, "nf_conntrack_tcp_loose", 0);
  return loose.empty() ? wrong(liberal_, "nf_conntrack_tcp_be_liberal", 1) : loose;
}

}  // namespace mimi::internal
