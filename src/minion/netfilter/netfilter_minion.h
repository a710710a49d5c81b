#ifndef MIMI_SRC_MINION_NETFILTER_NETFILTER_MINION_H_
#define MIMI_SRC_MINION_NETFILTER_NETFILTER_MINION_H_

// The minion of mimi/builtin/netfilter_minion.h: netfilter_minion.cc takes records and moves,
// netfilter_upkeep.cc does what time asks for (gauges, refreshing) and shows what is there.
//
// Threads: the loop thread only; Warm() does its blocking part on a thread of its own.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mimi/builtin/netfilter_minion.h"
#include "mimi/flow.h"

#include "src/base/log.h"
#include "src/io/conntrack_walk.h"
#include "src/minion/netfilter/held_flows.h"
#include "src/minion/netfilter/injector.h"
#include "src/minion/netfilter/kernel_gauges.h"
#include "src/minion/netfilter/kernel_table.h"
#include "src/wire/row_filter.h"

namespace mimi::internal {

class NetfilterMinionImpl final : public NetfilterMinion {
 public:
  NetfilterMinionImpl(NetfilterMinionOptions options, Loop& loop, NetworkNamespace inside,
                      std::unique_ptr<KernelTable> table, std::unique_ptr<ConntrackWalk> audit,
                      std::unique_ptr<ConntrackWalk> refresh);
  ~NetfilterMinionImpl() override;

  const StateSchema& schema() const override { return FlowSchema(); }
  std::uint32_t port_id() const override { return table_->port_id(); }
  Position confirmed() const override { return confirmed_; }

  absl::StatusOr<Position> Apply(const BatchView& batch) override;
  void Warm(StatusCallback done) override;
  void Activate(StatusCallback done) override { Move(true, std::move(done)); }
  void Retire(StatusCallback done) override { Move(false, std::move(done)); }
  absl::StatusOr<bool> Audit(AuditVisitor& visitor, std::size_t budget) override;
  MinionState state() const override;
  void Collect(MetricList& metrics) const override;

 private:
  struct Waiting {
    std::vector<std::byte> bytes;
    BatchView batch;
    std::size_t next = 0;
    Position position = 0;
  };

  // Posted work that is dropped once we are gone.
  void Post(std::function<void()> work) {
    loop_.Post([self = self_, work = std::move(work)] {
      if (*self != nullptr) {
        work();
      }
    });
  }
  void OnWarm(const absl::Status& status, std::uint32_t longest, LocalAddresses local,
              const StatusCallback& done);
  void Move(bool active, StatusCallback done);
  /// Injects for a slice. Errors: Unavailable, and what waited is forgotten.
  absl::Status Inject();
  absl::Status InjectBatch(Waiting& waiting, MonotonicTime until);
  void GoOn();
  void LookAround();
  void SetLimits();
  void Refresh();
  absl::Status RefreshSlice(bool* ended);

  NetfilterMinionOptions options_;
  Loop& loop_;
  NetworkNamespace inside_;
  std::unique_ptr<KernelTable> table_;
  std::unique_ptr<ConntrackWalk> audit_walk_;
  std::unique_ptr<ConntrackWalk> refresh_walk_;
  Logger log_;
  HeldFlows held_;
  Injector injector_;
  std::optional<KernelGauges> gauges_;
  RowFilter filter_;
  std::shared_ptr<NetfilterMinionImpl*> self_ = std::make_shared<NetfilterMinionImpl*>(this);
  std::thread worker_;

  bool warm_ = false;
  bool active_ = false;
  bool retiring_ = false;  ///< time-outs of what had traffic here are being taken over
  std::string unhealthy_;
  std::string short_of_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool going_on_ = false;
  Position accepted_ = 0;
  Position confirmed_ = 0;
  TimerId timer_ = 0;
  TimerId refresh_timer_ = 0;
  std::uint64_t refreshed_ = 0;
  std::size_t capacity_ = 0;
  bool audit_begun_ = false;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_NETFILTER_MINION_H_
