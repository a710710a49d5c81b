#ifndef MIMI_BUILTIN_REDIS_STORE_H_
#define MIMI_BUILTIN_REDIS_STORE_H_

/// \file
/// The state repository on Redis: for pairs whose parts run on different hosts.
///
/// **Not there yet:** this version reads the URLs; NewRedisStore and ReadRedisStoreInfo answer
/// Unimplemented. What follows is what they are to do.
///
/// Redis 6.2 to 8 or Valkey, stand-alone, behind Sentinel, or as a Cluster. Nothing has to be configured
/// in the server; any number of pairs share one.
///
///     absl::StatusOr<RedisStoreOptions> options =
///         RedisStoreOptionsFromUrl("rediss://mimi:secret@10.0.0.7/0?pair=edge1&ca=/etc/mimi/ca.pem");
///     auto store = NewRedisStore(*options, loop);
///
/// What lies in the server, for the pair `edge1` and the prefix `mimi` (docs/redis.md has a session with
/// redis-cli). The braces keep a pair in one slot of a Cluster:
///
/// | key | type | what |
/// |---|---|---|
/// | `mimi:{edge1}:pair` | hash | `format`, `incarnation`, `server`; `counter`, `term`, `claimant`, `mode`; `head`, `trimmed`, `bytes` (ever appended), and so on |
/// | `mimi:{edge1}:feed` | stream | one entry `b` for each sealed batch (FORMAT.md), with the id `position-0` |
/// | `mimi:{edge1}:terms` | hash | term -> mode and claimant, of every term handed out |
/// | `mimi:{edge1}:writers` | hash | table and origin -> the next sequence of its newest terms |
/// | `mimi:{edge1}:schemas` | hash | table's name -> its schema (FORMAT.md) |
/// | `mimi:{edge1}:table:NAME` | hash | of one table: `gen`, `buckets`, `position`, `rows`, `tombstones`, `keeper`, … |
/// | `mimi:{edge1}:table:NAME:GEN:N` | string | bucket N: some 32 to 64 packed rows and tombstones |
/// | `mimi:{edge1}:json:NAME` | hash | with `rows = json` also this: the key as JSON -> the row as JSON, for other tools |
/// | `mimi:{edge1}:lease:NAME` | hash | `owner`, `term`, `until` (the server's clock, ms) |
///
/// **The feed** is what Apply writes: fence, continuity and the entry in one atomic step, O(1) per batch of
/// any size. **The table** follows behind it: a writer keeps a copy of the tables that it writes and
/// puts changed buckets whole, newest value per key, within some 50 ms when there is little to do and always within
/// 10 s (`position` of the table is how far it is). One of the writers does that, the table's keeper; when it is gone
/// another takes over. The feed is never trimmed beyond a table's position, so a snapshot (the
/// table) and the feed from its position are always the whole. Lookup reads the bucket and the feed
/// behind it, if that is at most 4 MiB; else it returns what the table has, and its version says so.
///
/// Bounds in the server: rows by `max_rows`, the feed by `feed_bytes`; while the table is behind, by 4 times that,
/// then writers get ResourceExhausted until it has caught up.
///
/// **What can be lost.** Redis replicates asynchronously: a master that dies takes what it acknowledged and had not
/// sent yet with it. Whenever another server process answers (fail-over, restart), the store gets a new
/// incarnation: positions are gone, followers load anew, batches that are missing show as a gap in
/// their writer's sequence (FailedPrecondition), whereupon it claims and resyncs; terms go on far above all that may have been lost. A Claim waits for a
/// replica (`claim_wait`), if there is one; if none answers in time the claim holds all the same. Between a fail-over and the
/// next claim a term that was lost with the master cannot fence an older one. FLUSHALL, and a restart
/// without persistence, make a new and empty repository, with a new incarnation.
///
/// **When Redis does not answer** nothing here blocks: Apply copies the batch if less than `window_bytes` wait
/// for their acknowledgement, else returns ResourceExhausted, or Unavailable while there is no connection.
/// StoreState::reason names the trouble: `connecting`, `refused`, `reset`, `no answer`, `wrong password`, `read-only replica`,
/// `out of memory`, `wrong type`, `loading`, … with the address. Connecting is tried again with jittered back-off between
/// `retry_min` and `retry_max`; what was accepted is then sent again, and the repository takes each batch once.
///
/// Threads: the loop thread only; a host's name is resolved on a thread of its own, which touches nothing else.
/// Lifetime: the loop outlives the store. A loop on a virtual clock cannot run it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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

  bool tls = false;            ///< the certificate is always verified, and so is the name
  std::string ca_file = {};    ///< PEM; empty: the system's
  std::string cert_file = {};  ///< PEM; a client's certificate, where the server asks for one
  std::string key_file = {};
  std::string server_name =
      {};  ///< that the certificate must have; empty: the host that was asked for

  std::string prefix = "mimi";
  std::string pair = "pair";  ///< [A-Za-z0-9._-], at most 64

  enum class Rows : std::uint8_t { kPacked, kJson };
  /// kJson: beside the packed rows one JSON document for each, for other tools; some 5 times the memory
  /// and the time. The keeper's choice counts.
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
/// and behind a `?`, joined by `&`: `pair=`, `prefix=`, `db=`, `rows=packed|json`, `feed_bytes=`, `max_rows=`, `ca=`, `cert=`, `key=`,
/// `name=` (server_name). An IPv6 address stands in brackets; `%xx` is decoded. Ports: 6379, of sentinels 26379.
/// Errors: InvalidArgument that says which part; passwords are never shown.
absl::StatusOr<RedisStoreOptions> RedisStoreOptionsFromUrl(std::string_view url);

/// Whether `text` starts like one of the URLs above: how programs tell a Redis store from a directory.
bool IsRedisUrl(std::string_view text);

/// The URL for people: without password.
std::string RedactRedisUrl(std::string_view url);

/// Connects in the background: Open, Claim, Lookup wait for it, for `connect_timeout` + `reply_timeout` at most, then answer
/// Unavailable; they may be asked again at once.
/// Errors: InvalidArgument (options), Unimplemented (a library without it).
absl::StatusOr<std::unique_ptr<StateStore>> NewRedisStore(const RedisStoreOptions& options,
                                                          Loop& loop);

/// What a repository holds, for people. Nothing is written.
struct StoreInfo {
  struct Table {
    std::string name;
    std::uint64_t rows = 0;
    std::uint64_t tombstones = 0;
    Position position = 0;     ///< of the feed, that the table is up to date with
    std::uint64_t behind = 0;  ///< records in the feed that the table does not have yet
    std::uint64_t buckets = 0;
  };
  std::string server;  ///< "redis 7.0.15 at 10.0.0.7:6379"
  StoreState state;    ///< rows and tombstones are the sums of the tables
  std::vector<Table> tables;
  std::uint64_t feed_batches = 0;
  std::uint64_t terms = 0;          ///< handed out and remembered
  std::uint64_t server_memory = 0;  ///< bytes, of the whole server
};

/// Reads that; `done` is called on the loop thread, at most connect_timeout + 2 * reply_timeout later. Errors: NotFound (no
/// repository of that pair), Unavailable, Unimplemented.
void ReadRedisStoreInfo(const RedisStoreOptions& options, Loop& loop,
                        std::function<void(absl::StatusOr<StoreInfo>)> done);

}  // namespace mimi

#endif  // MIMI_BUILTIN_REDIS_STORE_H_
