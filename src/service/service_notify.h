#ifndef MIMI_SRC_SERVICE_SERVICE_NOTIFY_H_
#define MIMI_SRC_SERVICE_SERVICE_NOTIFY_H_

// ServiceNotify: tells the service manager that started us how things stand (sd_notify(3)), without
// its library: a datagram to the socket that $NOTIFY_SOCKET names. Without one, nothing is sent.
//
// The watchdog is fed from the loop that it watches: a loop that hangs is restarted, and nothing in
// the data plane changes by that.
//
// Threads: the loop thread only. Lifetime: the loop outlives it.

#include <functional>
#include <string>
#include <string_view>

#include "mimi/loop.h"

namespace mimi::service {

class ServiceNotify {
 public:
  /// Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. `status` is asked twice in a
  /// watchdog's time, or each five seconds: one line for `systemctl status`.
  ServiceNotify(Loop& loop, std::function<std::string()> status);
  ~ServiceNotify();
  ServiceNotify(const ServiceNotify&) = delete;
  ServiceNotify& operator=(const ServiceNotify&) = delete;

  void Ready();
  void Reloading();
  void Stopping();

 private:
  void Beat();
  void Send(std::string_view text) const;

  Loop& loop_;
  std::function<std::string()> status_;
  std::string socket_;
  Duration every_;
  bool watchdog_ = false;
  TimerId timer_ = 0;
  std::string last_;
};

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_SERVICE_NOTIFY_H_
