#include "src/driver/conntrack/event_rules.h"

#include <linux/netfilter/nfnetlink_conntrack.h>

#include <bit>

#include "src/base/status.h"
#include "src/wire/nft_table_name.h"

namespace mimi::internal {
namespace {

// enum ip_conntrack_events, as bits. nft 1.0.6 takes numbers where it has no word.
constexpr unsigned kNew = 1U << 0;
constexpr unsigned kDestroy = 1U << 2;
constexpr unsigned kReply = 1U << 3;
constexpr unsigned kAssured = 1U << 4;
constexpr unsigned kProtocol = 1U << 5;
constexpr unsigned kMark = 1U << 7;

std::string Table(const ConntrackDriverOptions& options) {
  return "mimi_driver_" + options.pair;
}

// Where in the header of a netlink message the lower byte of its type stands.
constexpr unsigned kTypeByte = std::endian::native == std::endian::little ? 4 : 5;
constexpr unsigned kPortWord = 12;
constexpr sock_filter kEventFilter[] = {
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, kTypeByte},
    {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, IPCTNL_MSG_CT_DELETE},
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, kPortWord},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0},
    {BPF_RET | BPF_K, 0, 0, ~0U},
    {BPF_RET | BPF_K, 0, 0, 0},
};

}  // namespace

absl::Status CheckConntrackOptions(const ConntrackDriverOptions& options) {
  if (absl::Status status = CheckNftTableName(options.pair); !status.ok()) {
    return status;
  }
  if (!std::has_single_bit(options.closing_mark)) {
    return Error(absl::StatusCode::kInvalidArgument, "closing_mark {:#x}: expected a single bit",
                 options.closing_mark);
  }
  constexpr std::size_t kMostBuffer = std::size_t{1} << 30;
  if (options.receive_buffer == 0 || options.receive_buffer > kMostBuffer) {
    return Error(absl::StatusCode::kInvalidArgument, "receive_buffer {}: expected 1 to {} bytes",
                 options.receive_buffer, kMostBuffer);
  }
  if (options.check_every <= Duration::zero()) {
    return Error(absl::StatusCode::kInvalidArgument, "check_every: expected more than 0");
  }
  return absl::OkStatus();
}

// A packet comes by after conntrack has looked at it (-200) and before its events are sent, which
// is at its last hook. So the mask that counts is the one that the packet itself leaves, and the
// one that completes a handshake is already assured here.
//
// A closing flow gives no more events, its end neither. Should a new connection take its entry over
// (a SYN that reuses the ports before the kernel let go of it), the SYN/ACK takes the bit off.
// The box's own sockets are silent: their packets pass input or output. What the box sends on
// behalf of a forwarded flow (ICMP errors, RST of a reject) is `related`.
std::string EventRules(const ConntrackDriverOptions& options) {
  const unsigned ends = kDestroy | kMark;
  return fmt::format(
      R"(table inet {table} {{}}
delete table inet {table}
table inet {table} {{
  chain events {{
    type filter hook prerouting priority -150;
    meta l4proto tcp goto tcp_events
    meta l4proto sctp goto sctp_events
    goto other_events
  }}
  chain tcp_events {{
    ct mark and {bit:#x} != 0x0 goto tcp_closing
    ct status and 0x4 == 0x0 ct event set {until_assured:#x} return
    tcp flags & (fin | rst) != 0x0 ct mark set ct mark or {bit:#x} ct event set {mark:#x} return
    ct event set {tcp:#x}
  }}
  chain tcp_closing {{
    tcp flags & (fin | syn | rst | ack) == syn | ack ct mark set ct mark and {not_bit:#x} ct event set {tcp:#x}
  }}
  chain sctp_events {{
    ct status and 0x4 == 0x0 ct event set {until_assured:#x} return
    ct event set {sctp:#x}
  }}
  chain other_events {{
    ct status and 0x2 == 0x0 ct event set {until_answered:#x} return
    ct event set {other:#x}
  }}
  chain own_in {{
    type filter hook input priority -150;
    ct state new,established ct event set 0x0
  }}
  chain own_out {{
    type filter hook output priority -150;
    ct state new,established ct event set 0x0
  }}
}}
)",
      fmt::arg("table", Table(options)), fmt::arg("bit", options.closing_mark),
      fmt::arg("not_bit", ~options.closing_mark), fmt::arg("mark", kMark),
      fmt::arg("until_assured", kAssured), fmt::arg("tcp", ends | kAssured),
      fmt::arg("sctp", ends | kAssured | kProtocol),
      fmt::arg("until_answered", options.unanswered ? kNew | kReply | ends : kReply),
      fmt::arg("other", ends | kReply));
}

absl::Status SetEventRules(const ConntrackDriverOptions& options, const NetworkNamespace& inside) {
  const absl::StatusOr<std::string> ruled =
      inside.RunProgram({options.nft_program, "-f", "-"}, EventRules(options));
  return ruled.ok() ? absl::OkStatus()
                    : Prepend("cannot tell the kernel which events to make", ruled.status());
}

absl::Status RemoveEventRules(const ConntrackDriverOptions& options,
                              const NetworkNamespace& inside) {
  const absl::StatusOr<std::string> tables =
      inside.RunProgram({options.nft_program, "list", "tables", "inet"}, "");
  if (!tables.ok()) {
    return tables.status();
  }
  if (tables->find("table inet " + Table(options) + "\n") == std::string::npos) {
    return Error(absl::StatusCode::kNotFound, "there is no nft table inet {}", Table(options));
  }
  return inside
      .RunProgram({options.nft_program, "-f", "-"},
                  fmt::format("delete table inet {}\n", Table(options)))
      .status();
}

std::span<const sock_filter> EventFilter() {
  return kEventFilter;
}

}  // namespace mimi::internal
