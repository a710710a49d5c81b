#ifndef MIMI_BUILTIN_REDIS_STORE_H_
#define MIMI_BUILTIN_REDIS_STORE_H_

/// \file
/// The state repository on Redis: for pairs whose parts run on different hosts.
///
/// One server, Redis 6.2 to 8 or Valkey; one of several that Sentinel watches; or a Cluster.
/// Nothing has to be configured in them, and any number of pairs share them.
///
///     absl::StatusOr<RedisStoreOptions> options =
///         RedisStoreOptionsFromUrl("rediss://mimi:secret@10.0.0.7/0?pair=edge1&ca=/etc/mimi/ca.pem");
///     absl::StatusOr<std::unique_ptr<StateStore>> store = NewRedisStore(*options, loop);
///
/// What lies in the server, for the pair `edge1` and the prefix `mimi`. The braces keep a pair in
/// one slot: a Cluster spreads pairs, not the rows of one.
///
/// | key | type | what |
/// |---|---|---|
/// | `mimi:{edge1}:pair` | hash | `format`, `incarnation`, `server`; `counter`, `term`, `claimant`, `mode`; `head`, `trimmed`, `bytes`; `position` and `gen` of the tables; `keeper` |
/// | `mimi:{edge1}:feed` | stream | one entry for each sealed batch: field `b` (FORMAT.md), id `POSITION-0` |
/// | `mimi:{edge1}:terms` | zset | every term handed out, with mode (0 exclusive, 1 shared, 2 control) and claimant |
/// | `mimi:{edge1}:writers` | hash | table and origin -> its newest terms, each with the next sequence |
/// | `mimi:{edge1}:schemas` | hash | table's name -> its schema (FORMAT.md) |
/// | `mimi:{edge1}:tables` | hash | table's name -> buckets, tombstone chunks from and to, rows, tombstones |
/// | `mimi:{edge1}:rows:NAME:GEN` | hash | bucket N -> 64 packed rows; `tN` -> 128 tombstones; `rows=json`: lines of JSON |
/// | `mimi:{edge1}:lease:NAME` | hash | `owner`, `term`, `until` (the server's clock, ms) |
///
/// **The feed** is what Apply writes: fence, continuity and the entry in one atomic step, whatever
/// the batch's size. **The tables** follow behind it: one of the writers, the *keeper*, puts
/// changed buckets whole, newest value per key, each second or so and never more than some seconds
/// apart (`position` says how far they are); when it is gone for 5 s another takes over. The feed
/// is never trimmed beyond that position, so the tables and the feed behind them are always the
/// whole.
///
/// **Each handle has a copy** of the tables in memory (row_map: some 65 bytes for a 29-byte row)
/// that follows the feed. Lookup and Snapshot ask the server for its head, wait until the copy has
/// it (one round trip), and answer from the copy. An own batch is confirmed when the copy has it.
///
/// Bounds in the server: rows by `max_rows`; the feed is between `feed_bytes` and twice that, and
/// when the tables cannot follow, up to 4 times that: then writers get ResourceExhausted. Terms are
/// below 2^53 and sequences below 2^48.
///
/// **What can be lost.** Redis replicates, and by default saves, behind what it acknowledges: a
/// server that dies may take its last writes with it. Whenever another server process answers (a
/// restart, a replica in its place) the store gets a new incarnation: positions are gone, followers
/// load anew; writers are refused (FailedPrecondition), claim and resync; terms go on far above all
/// that may have been lost. A Claim waits for a replica (`claim_wait`), if there is one; if none
/// answers in time the claim holds all the same. FLUSHALL, and a restart without persistence, make
/// a new and empty repository, with a new incarnation. A lease's term begins again at 1 then.
///
/// **Sentinel:** whoever of `addresses` answers first names the master; that it is one is checked,
/// and twice a second whether it still is, so that a master which was cut off and does not know is
/// left. **Cluster:** one of `addresses` or of the nodes that were heard of since names the pair's
/// master; while the pair's slot moves to another node writes wait (`moving`). After a fail-over,
/// and when a slot has moved, another process answers: see above. Where another server may take
/// over, retry_max is 250 ms at most.
///
/// **When Redis does not answer** nothing here blocks. Apply goes on accepting up to
/// `window_bytes`, then answers ResourceExhausted; what was accepted is sent when the server is
/// back, and stored once. StoreState::available is false, and `reason` names the trouble with the
/// address: `connecting`, `refused`, `reset`, `no answer`, `unreachable`, `wrong password`, `no
/// permission`, `no such database`, `read-only replica`, `out of memory`, `cannot save`, `wrong
/// type` (of a key of ours), `loading`, `replaced` (FLUSHALL), `trimmed`, `damaged`. Connecting is
/// tried again with jittered back-off between `retry_min` and `retry_max`.
///
/// Threads: the loop thread only; a host's name is resolved on a thread of its own, which touches
/// nothing else.
/// Lifetime: the loop outlives the store; a callback must not destroy the store. A loop on a
/// virtual clock cannot run it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/loop.h"
#include "mimi/store.h"
#include "mimi/types.h"

namespace mimi {

struct RedisAddress {
  std::string host;  ///< name or address; empty: `path` is a socket
  std::uint16_t port = 6379;
  std::string path = {};
  friend bool operator==(const RedisAddress&, const RedisAddress&) = default;
};

struct RedisStoreOptions {
  enum class Deployment : std::uint8_t { kStandalone, kSentinel, kCluster };
  Deployment deployment = Deployment::kStandalone;
  /// The server; the sentinels; or some nodes of the cluster, of which one must answer.
  std::vector<RedisAddress> addresses;
  std::string service = {};  ///< kSentinel: the master's name there

  std::string user = {};  ///< ACL user; empty: `default`
  std::string password = {};
  std::uint32_t database = 0;
  std::string sentinel_user = {};  ///< kSentinel: a login there; without it they are asked without
  std::string sentinel_password = {};

  bool tls = false;            ///< the certificate is always verified, and so is the name
  std::string ca_file = {};    ///< PEM; empty: the system's
  std::string cert_file = {};  ///< PEM; a client's certificate, where the server asks for one
  std::string key_file = {};
  std::string server_name =
      {};  ///< that the certificate must have; empty: the host that was asked for

  /// Makes the repository where there is none; else that is NotFound.
  bool create = true;
  std::string prefix = "mimi";
  std::string pair = "pair";  ///< [A-Za-z0-9._-], at most 64

  enum class Rows : std::uint8_t { kPacked, kJson };
  /// How the tables' buckets are written; the feed is always packed. kJson: a line for each record
  /// (json.h), for other tools to read. It costs some microseconds a row and several times the
  /// memory; text that is no UTF-8 does not survive it. A handle reads both, so handles may differ;
  /// the keeper's choice is what is there.
  Rows rows = Rows::kPacked;

  /// Bounds each table (store.h). All handles of one repository should say the same.
  std::size_t max_rows = std::size_t{1} << 24;
  /// How long a reader may be away and go on by delta, in bytes of feed. It is the server's memory.
  std::size_t feed_bytes = std::size_t{64} << 20;
  Duration tombstone_age = std::chrono::seconds(120);
  /// What may be on its way to the server, bytes of batches.
  std::size_t window_bytes = std::size_t{8} << 20;

  Duration connect_timeout = std::chrono::seconds(1);
  /// A server that says nothing for so long while it owes an answer is given up.
  Duration reply_timeout = std::chrono::seconds(2);
  Duration retry_min = std::chrono::milliseconds(50);
  Duration retry_max = std::chrono::seconds(2);
  /// How long a claim waits for a replica, if the server has any. 0: not at all.
  Duration claim_wait = std::chrono::milliseconds(200);
};

/// The options that a URL stands for; everything else at its default:
///
///     redis://[[user]:password@]host[:port][/database]
///     unix://[[user]:password@]/path/to/socket
///     redis-sentinel://[[user]:password@]host[:port][,host[:port]…]/service[/database]
///     redis-cluster://[[user]:password@]host[:port][,host[:port]…]
///     rediss://, rediss-sentinel://, rediss-cluster://      the same over TLS
///
/// and behind a `?`, joined by `&`: `pair=`, `prefix=`, `db=`, `rows=packed|json`, `feed_bytes=`,
/// `max_rows=`, `ca=`, `cert=`, `key=`, `name=` (server_name), `sentinel_user=`,
/// `sentinel_password=`. An IPv6 address stands in brackets; `%xx` is decoded. Ports: 6379, of
/// sentinels 26379.
/// Errors: InvalidArgument that says which part; passwords are never shown.
absl::StatusOr<RedisStoreOptions> RedisStoreOptionsFromUrl(std::string_view url);

/// Whether `text` starts like one of the URLs above: how programs tell a Redis store from a
/// directory.
bool IsRedisUrl(std::string_view text);

/// The URL for people: without passwords.
std::string RedactRedisUrl(std::string_view url);

/// Connects in the background. Open, Claim, Lookup and leases wait for it, for `connect_timeout` +
/// `reply_timeout` at most, then answer Unavailable; they may be asked again at once.
/// Errors: InvalidArgument (options), Unimplemented (a library without Redis).
absl::StatusOr<std::unique_ptr<StateStore>> NewRedisStore(const RedisStoreOptions& options,
                                                          Loop& loop);

}  // namespace mimi

#endif  // MIMI_BUILTIN_REDIS_STORE_H_
