#ifndef MIMI_BUILTIN_SYSLOG_DRIVER_H_
#define MIMI_BUILTIN_SYSLOG_DRIVER_H_

/// \file
/// A driver that learns a box's state from what it logs: for boxes that cannot be opened.
///
/// Many boxes write a line for each session that they build and each that they tear down. This
/// driver is the log host that they send them to. What a line means is said by log rules
/// (docs/log-rules.md), in packs for the common vendors and in files of your own.
///
///     SyslogDriverOptions options;
///     options.listen = {{.transport = SyslogTransport::kUdp, .address = "0.0.0.0", .port = 514}};
///     options.allow = {"192.0.2.1"};                       // the box, and nobody else
///     options.packs = {"cisco-asa"};
///     absl::StatusOr<std::unique_ptr<SyslogDriver>> driver = NewSyslogDriver(options, *loop);
///     source.driver = driver->get();                       // engine.h
///     source.age_field = "idle_timeout";                   // a log cannot be walked: rows age out
///
/// Protocols: syslog over UDP (RFC 5426) and TCP, with octet counting or newlines, told apart for
/// each connection by its first byte (RFC 6587); RFC 5424 messages and what calls itself RFC 3164.
/// TLS (RFC 5425) is not spoken: put a relay such as stunnel or rsyslog on the same host in front,
/// and allow its address.
///
/// Syslog over UDP can be forged: whoever can send from an allowed address can make a flow. Let
/// the allowed addresses be those of a management network that nobody else can send from.
///
/// What is lost, and how it shows: the kernel's drops at the socket (SO_RXQ_OVFL), gaps where the
/// sender numbers its lines (RFC 5424 `meta sequenceId`), lines cut off by the end of a connection,
/// and what the rules could not hold, grow DriverState::lost. A log cannot be read again: Resync()
/// is Unimplemented, and rows end by their erase or by age. coverage() says what the loaded packs
/// know: of a vendor that logs only the end of a session nothing alive is known.
///
/// Threads: the loop thread only.
/// Lifetime: the loop outlives the driver.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/driver.h"
#include "mimi/flow.h"
#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi {

enum class SyslogTransport : std::uint8_t { kUdp, kTcp };

struct SyslogListener {
  SyslogTransport transport = SyslogTransport::kUdp;
  /// An address of this host. "::" is every address of both families, "0.0.0.0" of IPv4 only.
  std::string address = "::";
  /// 0: any free one; SyslogDriver::port() tells which.
  std::uint16_t port = 514;
};

/// Rules that are at hand as text, such as a table of the configuration.
struct LogRuleText {
  std::string text;  ///< TOML
  std::string name;  ///< what stands before line and column in a message about it
};

struct SyslogDriverOptions {
  /// The table that the rules fill: mimi.flow, as the shipped packs do, or your own.
  StateSchema schema = FlowSchema();
  std::vector<SyslogListener> listen = {SyslogListener{}};
  /// Who may send: addresses and prefixes ("192.0.2.1", "192.0.2.0/24", "2001:db8::/32").
  /// Everything else is dropped unread, and counted. Must not be empty; "0.0.0.0/0" and "::/0" is
  /// everybody.
  std::vector<std::string> allow{};

  /// Rules in the order of preference when several know a line: texts, files by path, shipped packs
  /// by name ("cisco-asa").
  std::vector<LogRuleText> rule_texts{};
  std::vector<std::string> rule_files{};
  std::vector<std::string> packs{};
  /// Where packs are looked for. Empty: the directory that $MIMI_PACKS names, beside the program
  /// (../share/mimi/packs), where they were installed.
  std::string pack_directory{};

  /// What a rule that says nothing about it gives its rows for idle_timeout. The engine ages rows
  /// by it where ends can be missed. A line is written at the begin and the end of a session and
  /// not between, so this bounds how long a flow may live unseen: too short loses live flows.
  Duration idle_timeout = std::chrono::hours(1);

  /// Of each UDP socket, in bytes: what may wait while the loop is at other work. Beyond
  /// net.core.rmem_max only with CAP_NET_ADMIN; what was got is shown by the metrics.
  std::size_t receive_buffer = std::size_t{8} << 20;
  /// Longer lines are cut there, and what was cut off is skipped. RFC 5424 asks for 2048.
  std::size_t max_line = 8192;
  /// TCP senders at once; further ones are refused, and counted.
  std::size_t max_connections = 64;
};

class SyslogDriver : public Driver {
 public:
  /// Reads packs and rule files again. Nothing changes when one has a mistake, which the error then
  /// names with file, line and column. What joins remember is forgotten, as at a start: ends of
  /// sessions that began before may not find their begin any more.
  virtual absl::Status ReloadRules() = 0;

  /// The port that listener `index` is bound to; 0 before Start().
  virtual std::uint16_t port(std::size_t index) const = 0;
};

/// What NewSyslogDriver() would refuse, without a loop: for whoever checks a configuration.
absl::Status CheckSyslogOptions(const SyslogDriverOptions& options);

/// Reads the rules, opens nothing before Start().
/// Errors: InvalidArgument (an option; a mistake in a rule, with file, line, column and the place
/// marked), NotFound (a pack or file), Unimplemented (`regex` in a build without RE2).
absl::StatusOr<std::unique_ptr<SyslogDriver>> NewSyslogDriver(SyslogDriverOptions options,
                                                              Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_SYSLOG_DRIVER_H_
