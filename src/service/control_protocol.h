#ifndef MIMI_SRC_SERVICE_CONTROL_PROTOCOL_H_
#define MIMI_SRC_SERVICE_CONTROL_PROTOCOL_H_

// The control socket's protocol: one JSON object per line, both ways. This header is its
// manual, also for those who write other clients.
//
//   → {"id":1,"verb":"divert","dry_run":true}
//   ← {"id":1,"event":{"at":"…","kind":"phase","detail":"…"}}        none or more
//   ← {"id":1,"row":{"client_ip":"…"}}                               verb "rows": none or more
//   ← {"id":1,"ok":true,"result":{…}}                                the last line of an answer
//   ← {"id":1,"ok":false,"code":"failed_precondition","message":"…"}
//
// Threads: pure; any.

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "mimi/liveness.h"

namespace mimi::service {

inline constexpr std::size_t kMaxControlLine = 4096;  ///< bytes of a request, the newline apart

enum class ControlVerb : std::uint8_t {
  kPing,     ///< who is this: pair, roles, whether it is the acting manager
  kStatus,   ///< status_json.h
  kMetrics,  ///< Prometheus's text
  kEvents,   ///< the last events; with "follow", also those that come
  kRows,     ///< "table", "limit": rows as they are in the store
  kDivert,   ///< "dry_run"
  kRestore,  ///< "dry_run"
  kAudit,    ///< "box"
  kReload,   ///< what SIGHUP does
};

struct ControlRequest {
  std::uint64_t id = 0;
  ControlVerb verb = ControlVerb::kPing;
  bool dry_run = false;
  bool follow = false;
  Side box = Side::kMinion;
  std::string table;
  std::uint64_t limit = 0;  ///< 0: all
};

/// `line` is hostile. Errors: InvalidArgument that names the member. `id` is set as soon as it is
/// known, so that an error can be answered to.
absl::StatusOr<ControlRequest> ParseControlRequest(std::string_view line, std::uint64_t* id);
std::string_view ControlVerbName(ControlVerb verb);

/// Lines with their newline. `result` is JSON.
std::string ControlResult(std::uint64_t id, std::string_view result);
std::string ControlError(std::uint64_t id, const absl::Status& status);
/// An "event", a "row": one of the lines before the last.
std::string ControlPart(std::uint64_t id, std::string_view member, std::string_view json);

/// "failed_precondition", and back; kUnknown for what is no code.
std::string_view StatusCodeName(absl::StatusCode code);
absl::StatusCode StatusCodeNamed(std::string_view name);

}  // namespace mimi::service

#endif  // MIMI_SRC_SERVICE_CONTROL_PROTOCOL_H_
