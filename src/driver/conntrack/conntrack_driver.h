#ifndef MIMI_SRC_DRIVER_CONNTRACK_CONNTRACK_DRIVER_H_
#define MIMI_SRC_DRIVER_CONNTRACK_CONNTRACK_DRIVER_H_

// The driver of mimi/builtin/conntrack_driver.h: conntrack_driver.cc reads events,
// conntrack_walks.cc walks the table. What both mean is the tracker's.
//
// Threads: the loop thread only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "mimi/builtin/conntrack_driver.h"
#include "mimi/flow.h"
#include "mimi/record.h"

#include "src/base/log.h"
#include "src/driver/conntrack/tracker.h"
#include "src/io/conntrack_walk.h"
#include "src/io/netlink_socket.h"

namespace mimi::internal {

class ConntrackDriverImpl final : public Driver, private TrackerOutput {
 public:
  ConntrackDriverImpl(ConntrackDriverOptions options, Loop& loop, NetworkNamespace inside);
  ~ConntrackDriverImpl() override;

  const StateSchema& schema() const override { return FlowSchema(); }
  absl::Status Start(StateSink& sink) override;
  absl::Status Resync() override;
  void Stop() override;
  Coverage coverage() const override;
  DriverState state() const override;
  void Collect(MetricList& metrics) const override;

 private:
  enum class Walk : std::uint8_t { kNone, kBegin, kRows, kEnd, kSettle };

  // TrackerOutput
  void Put(std::span<const std::byte> row) override { (void)builder_.Put(row); }
  void Erase(std::span<const std::byte> key, Op op) override { (void)builder_.Erase(key, op); }

  absl::Status Prepare();
  absl::Status Watch();
  void OnReadable();
  void ReadLater();
  /// False: there is more, but the sink has no room, or the slice is over.
  bool Read();
  bool TakeDatagrams();
  void TakeDatagram(std::span<const std::byte> datagram);
  bool MakeRoom();
  bool Offer(std::uint16_t flags = 0);
  void Fail(const absl::Status& status);

  absl::Status BeginWalk(WalkKind kind);
  void WalkSoon();
  void WalkSlice();
  bool WalkRows(MonotonicTime until);
  void BreakOff(const absl::Status& why);
  void ScheduleCheck();
  void CheckIfNeeded();

  ConntrackDriverOptions options_;
  Loop& loop_;
  NetworkNamespace inside_;
  Logger log_;
  Tracker tracker_;
  BatchBuilder builder_;
  StateSink* sink_ = nullptr;
  std::unique_ptr<NetlinkSocket> events_;
  std::shared_ptr<ConntrackDriverImpl*> self_ = std::make_shared<ConntrackDriverImpl*>(this);
  std::string problem_;

  // Events: datagrams [next_, count_) of the socket's last batch are still to be taken.
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  bool watched_ = false;
  TimerId read_timer_ = 0;
  MonotonicTime read_at_{};  ///< when it is due
  std::uint64_t overruns_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t events_seen_ = 0;
  std::array<std::uint64_t, kCtRefusals> refusals_ = {};

  Walk walk_ = Walk::kNone;
  WalkKind walk_kind_ = WalkKind::kResync;
  std::unique_ptr<ConntrackWalk> walker_;
  bool walk_posted_ = false;
  bool stalled_ = false;  ///< the sink had no room
  Duration walk_cost_{};
  TimerId check_timer_ = 0;
  std::uint64_t walks_ = 0;
  std::uint64_t walks_broken_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_DRIVER_CONNTRACK_CONNTRACK_DRIVER_H_
