#ifndef MIMI_BUILTIN_BFD_H_
#define MIMI_BUILTIN_BFD_H_

/// \file
/// BFD as a Liveness: asynchronous mode over one hop (RFC 5880, RFC 5881), with any router or box
/// that speaks it.
///
/// Three lost packets of 10 ms say that a box is dead after some 30 ms; no other liveness is as
/// fast. What it watches is the path to the box, not what the box does with traffic: a box can be
/// up and forward nothing, so combine it (combined_liveness.h) with a probe through the box
/// (probes.h).
///
///     BfdOptions options{.box = Side::kPrimary, .peer = *Ip::Parse("192.0.2.1")};
///     auto bfd = NewBfd(options, thread->loop());     // liveness_thread.h
///
/// What it reports:
///
/// | seen | reported |
/// |---|---|
/// | the session comes up | kUp |
/// | nothing arrives for the detection time | kDown |
/// | the peer says Down (its own detection time ran out), or restarts | kDown |
/// | the peer says AdminDown: somebody switched its BFD off, which says nothing about the box (RFC 5882, 3.2 and 4.2) | kUnknown |
/// | the session never came up | kUnknown; with `first_evidence`, kDown after that long |
///
/// Only packets with TTL 255 count (GTSM, RFC 5881 section 5), so nobody further away than the next
/// hop can keep a dead box alive. Timers are negotiated: the peer may ask for slower ones. Until
/// the session is up both sides send once a second (RFC 5880, 6.8.3), so coming up takes about two
/// seconds.
///
/// Not there: authentication (RFC 5880, 6.7), echo and demand mode, several hops (RFC 5883).
/// Packets that ask for them are counted and dropped.
///
/// Rights: none for the ports; `interface` needs CAP_NET_RAW on kernels before 5.7.
///
/// Threads: the loop thread only; metrics() any.
/// Lifetime: the loop outlives it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "mimi/liveness.h"
#include "mimi/log.h"
#include "mimi/loop.h"
#include "mimi/types.h"

namespace mimi {

/// Port 3784 of one local address, shared by the sessions on it: give both boxes' sessions the same
/// one where they are reached from the same address. Must live on the same loop as its sessions.
class BfdPort;

struct BfdPortOptions {
  /// The address to listen at. Its family must be the peers'. Default: all IPv4 addresses.
  Ip local = Ipv4{};
  /// Only packets of this interface, and out of it (SO_BINDTODEVICE). Needed for IPv6 link-local
  /// peers. Empty: any.
  std::string interface {};
  /// RFC 5881 says 3784; another one is for tests only.
  std::uint16_t port = 3784;
};

struct BfdOptions {
  Side box = Side::kPrimary;
  /// The box's address on the link that we share with it.
  Ip peer{};
  /// Where to listen. Null: a port of its own, made of `port_options`.
  std::shared_ptr<BfdPort> port = nullptr;
  BfdPortOptions port_options{};

  /// How often we would like to send, and to receive; the slower side wins. Below 10 ms a busy
  /// machine raises false alarms.
  Duration desired_min_tx = std::chrono::milliseconds(10);
  Duration required_min_rx = std::chrono::milliseconds(10);
  /// Lost packets that make the peer call us dead, 1 to 255. How many make us call *it* dead is the
  /// peer's own multiplier: the detection time is that times the slower of its sending interval and
  /// our required_min_rx (RFC 5880, 6.8.4).
  int detect_multiplier = 3;
  /// Do not speak before the peer does (RFC 5880, 6.1).
  bool passive = false;
  /// A peer never heard since the start counts as dead after this long. 0: it stays unknown for
  /// ever, so that a misconfigured session moves no traffic.
  Duration first_evidence{};

  LogCallback log{};
};

/// Errors: InvalidArgument (an option), FailedPrecondition (the address is not ours, rights),
/// ResourceExhausted, Unavailable (port taken by another BFD daemon).
absl::StatusOr<std::shared_ptr<BfdPort>> NewBfdPort(const BfdPortOptions& options, Loop& loop);
absl::StatusOr<std::unique_ptr<Liveness>> NewBfd(const BfdOptions& options, Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_BFD_H_
