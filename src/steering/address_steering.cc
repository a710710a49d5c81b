// Addresses that come to an interface of this host, and go.

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "mimi/builtin/steering.h"

#include "src/base/log.h"
#include "src/base/status.h"
#include "src/steering/announcer.h"
#include "src/steering/rtnetlink_port.h"
#include "src/wire/rtnetlink.h"

namespace mimi {
namespace {

using internal::Announcer;
using internal::AppendDeleteAddress;
using internal::AppendNewAddress;
using internal::Link;
using internal::RtAddress;
using internal::RtAnswer;
using internal::RtnetlinkPort;

constexpr auto kUnseen = absl::StatusCode::kUnavailable;

class AddressSteering final : public Steering {
 public:
  AddressSteering(const AddressSteeringOptions& options, Loop& loop,
                  std::unique_ptr<RtnetlinkPort> port, std::unique_ptr<Announcer> announcer)
      : options_(options),
        loop_(loop),
        log_(options.log),
        port_(std::move(port)),
        announcer_(std::move(announcer)) {}
  ~AddressSteering() override { loop_.Cancel(timer_); }

  std::string_view name() const override { return "address"; }
  void Divert(Guard guard, StatusCallback done) override {
    Answer(Move(Side::kMinion, guard), std::move(done));
  }
  void Restore(Guard guard, StatusCallback done) override {
    Answer(Move(Side::kPrimary, guard), std::move(done));
  }
  void Observe(ObserveCallback done) override;

 private:
  // One change of a move, and the error that means that there was nothing to do.
  struct Step {
    std::string what;
    int harmless;
  };

  template <class Result, class Callback>
  void Answer(Result result, Callback done) {
    loop_.Post(
        [alive = std::weak_ptr<bool>(alive_), result = std::move(result), done = std::move(done)] {
          if (!alive.expired()) {
            done(result);
          }
        });
  }

  absl::Status Move(Side to, const Guard& guard);
  absl::StatusOr<Link> LinkThatIsUp(const std::string& name) const;
  void Add(const std::string& interface, const Link& link, std::vector<Step>* steps);
  void Remove(const std::string& interface, const Link& link, std::vector<Step>* steps);
  absl::Status Change(const std::vector<Step>& steps);
  absl::Status Announce(Side at);
  void AnnounceAgain();
  absl::StatusOr<Side> SideOf(const std::vector<bool>& there) const;

  const AddressSteeringOptions options_;
  Loop& loop_;
  const Logger log_;
  std::unique_ptr<RtnetlinkPort> port_;
  std::unique_ptr<Announcer> announcer_;
  Side announced_ = Side::kPrimary;
  int announcements_left_ = 0;
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

absl::StatusOr<Link> AddressSteering::LinkThatIsUp(const std::string& name) const {
  absl::StatusOr<Link> link = port_->FindLink(name);
  if (link.ok() && !link->up) {
    return Error(kUnseen, "interface {} is down", name);
  }
  return link;
}

void AddressSteering::Add(const std::string& interface, const Link& link,
                          std::vector<Step>* steps) {
  for (const IpPrefix& prefix : options_.addresses) {
    AppendNewAddress(port_->request(),
                     {.address = prefix.address, .length = prefix.length, .interface = link.index},
                     port_->NextSequence());
    steps->push_back(
        {fmt::format("adding {} to {}", prefix.address.ToString(), interface), EEXIST});
  }
}

void AddressSteering::Remove(const std::string& interface, const Link& link,
                             std::vector<Step>* steps) {
  for (const IpPrefix& prefix : options_.addresses) {
    AppendDeleteAddress(
        port_->request(),
        {.address = prefix.address, .length = prefix.length, .interface = link.index},
        port_->NextSequence());
    steps->push_back(
        {fmt::format("removing {} from {}", prefix.address.ToString(), interface), EADDRNOTAVAIL});
  }
}

absl::Status AddressSteering::Move(Side to, const Guard& guard) {
  const std::string& arriving =
      to == Side::kMinion ? options_.minion_interface : options_.primary_interface;
  const std::string& leaving =
      to == Side::kMinion ? options_.primary_interface : options_.minion_interface;
  std::vector<Step> steps;
  port_->NewRequest();
  // First there, then away: at no moment has nobody them.
  if (!arriving.empty()) {
    const absl::StatusOr<Link> link = LinkThatIsUp(arriving);
    if (!link.ok()) {
      return link.status();
    }
    Add(arriving, *link, &steps);
  }
  // An interface that is gone has taken its addresses along.
  if (const absl::StatusOr<Link> link = port_->FindLink(leaving); link.ok()) {
    Remove(leaving, *link, &steps);
  }
  if (!guard()) {
    return Error(absl::StatusCode::kAborted, "address: this manager may not act any more");
  }
  if (const absl::Status changed = Change(steps); !changed.ok()) {
    return changed;
  }
  announced_ = to;
  announcements_left_ = options_.announcements;
  return Announce(to);
}

absl::Status AddressSteering::Change(const std::vector<Step>& steps) {
  if (steps.empty()) {
    return absl::OkStatus();
  }
  const absl::StatusOr<std::vector<RtAnswer>> answers = port_->Change();
  if (!answers.ok()) {
    return answers.status();
  }
  absl::Status status = absl::OkStatus();
  for (std::size_t i = 0; i < answers->size(); ++i) {
    if ((*answers)[i].error != steps[i].harmless) {
      status.Update((*answers)[i].ToStatus(steps[i].what));
    }
  }
  return status;
}

// Tells the neighbours, now; and asks for the next time.
absl::Status AddressSteering::Announce(Side at) {
  loop_.Cancel(timer_);
  timer_ = 0;
  if (announcements_left_ == 0) {
    return absl::OkStatus();
  }
  const bool here = at == Side::kMinion || !options_.primary_interface.empty();
  if (!here && !options_.primary_mac.has_value()) {
    return absl::OkStatus();  // the primary announces itself
  }
  const std::string& out =
      at == Side::kMinion || !here ? options_.minion_interface : options_.primary_interface;
  const absl::StatusOr<Link> link = port_->FindLink(out);
  if (!link.ok()) {
    return link.status();
  }
  if (!link->mac.has_value()) {
    return absl::OkStatus();  // no Ethernet: nobody there keeps a table of neighbours
  }
  const absl::Status sent =
      announcer_->Announce(options_.addresses, here ? *link->mac : *options_.primary_mac,
                           link->index, *link->mac, Announcer::IsRouter(port_->inside(), out));
  if (--announcements_left_ > 0) {
    timer_ = loop_.At(loop_.now() + options_.announce_every, [this] { AnnounceAgain(); });
  }
  return sent;
}

// Only what is still so may be announced: a process that was stopped for long, or whose addresses
// somebody else took away, would take the traffic from where it goes by now.
void AddressSteering::AnnounceAgain() {
  timer_ = 0;
  Observe([this, at = announced_](const absl::StatusOr<Side>& seen) {
    if (!seen.ok() || *seen != at || at != announced_) {
      return;
    }
    if (const absl::Status sent = Announce(at); !sent.ok()) {
      log_.Warn("address steering: {}", Message(sent));
    }
  });
}

void AddressSteering::Observe(ObserveCallback done) {
  const absl::StatusOr<Link> link = port_->FindLink(options_.minion_interface);
  if (!link.ok()) {
    Answer(absl::StatusOr<Side>(Side::kPrimary), std::move(done));  // nothing is on it
    return;
  }
  auto there = std::make_shared<std::vector<bool>>(options_.addresses.size());
  port_->Dump(
      [index = link->index](NetlinkWriter& writer, std::uint32_t sequence) {
        internal::AppendDumpAddresses(writer, index, sequence);
      },
      [this, there, index = link->index](const NetlinkMessage& message) {
        RtAddress address;
        if (!ParseAddress(message, &address) || address.interface != index) {
          return;
        }
        for (std::size_t i = 0; i < options_.addresses.size(); ++i) {
          if (options_.addresses[i].address == address.address) {
            (*there)[i] = true;
          }
        }
      },
      [this, there, done = std::move(done)](const absl::Status& end) {
        done(end.ok() ? SideOf(*there) : Error(kUnseen, "addresses: {}", Message(end)));
      });
}

absl::StatusOr<Side> AddressSteering::SideOf(const std::vector<bool>& there) const {
  const auto first_here = std::ranges::find(there, true);
  const auto first_gone = std::ranges::find(there, false);
  if (first_gone == there.end()) {
    return Side::kMinion;
  }
  if (first_here == there.end()) {
    return Side::kPrimary;
  }
  const auto name = [&](auto at) {
    return options_.addresses[static_cast<std::size_t>(at - there.begin())].address.ToString();
  };
  return Error(kUnseen, "{} is on {}, and {} is not", name(first_here), options_.minion_interface,
               name(first_gone));
}

absl::Status Check(const AddressSteeringOptions& options) {
  constexpr auto kWrong = absl::StatusCode::kInvalidArgument;
  if (options.addresses.empty()) {
    return Error(kWrong, "addresses: expected what is to move");
  }
  for (const IpPrefix& prefix : options.addresses) {
    if (prefix.length < 0 || prefix.length > (prefix.address.is_v4() ? 32 : 128) ||
        prefix.address == Ip()) {
      return Error(kWrong, "addresses: {}/{} is none", prefix.address.ToString(), prefix.length);
    }
  }
  if (options.minion_interface.empty()) {
    return Error(kWrong, "minion_interface: expected one of this host");
  }
  if (options.minion_interface == options.primary_interface) {
    return Error(kWrong, "minion_interface and primary_interface: both are {}",
                 options.minion_interface);
  }
  if (options.announcements < 1 || options.announce_every <= Duration::zero()) {
    return Error(kWrong, "announcements: expected at least one, and time between them");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Steering>> NewAddressSteering(const AddressSteeringOptions& options,
                                                             Loop& loop) {
  absl::Status status = Check(options);
  if (!status.ok()) {
    return Prepend("address steering", status);
  }
  absl::StatusOr<std::unique_ptr<RtnetlinkPort>> port =
      RtnetlinkPort::Open(options.network_namespace, loop);
  if (!port.ok()) {
    return Prepend("address steering", port.status());
  }
  status = (*port)->FindLink(options.minion_interface).status();
  if (!options.primary_interface.empty()) {
    status.Update((*port)->FindLink(options.primary_interface).status());
  }
  absl::StatusOr<std::unique_ptr<Announcer>> announcer = Announcer::Open((*port)->inside());
  status.Update(announcer.status());
  if (!status.ok()) {
    return Prepend("address steering", status);
  }
  return std::make_unique<AddressSteering>(options, loop, *std::move(port), *std::move(announcer));
}

}  // namespace mimi
