#include "src/service/control_server.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/service/control_protocol.h"
#include "src/service/json_writer.h"
#include "src/service/row_stream.h"

namespace mimi::service {
namespace {

// What a client that does not read may have waiting, before rows stop and events are left out.
constexpr std::size_t kMostUnsent = std::size_t{256} * 1024;
constexpr std::size_t kMostRequests = 64;  // of one connection, under way at once

class Session final : public StreamHandler {
 public:
  Session(StreamConnection& connection, const PairDoors& doors, Loop& loop)
      : connection_(connection), doors_(doors), loop_(loop) {}
  ~Session() override {
    *alive_ = false;
    for (const auto& [id, listener] : listeners_) {
      doors_.events->Forget(listener);
    }
  }

  void OnInput(std::string& input) override {
    std::size_t at = 0;
    for (std::size_t end = 0; (end = input.find('\n', at)) != std::string::npos; at = end + 1) {
      Answer(std::string_view(input).substr(at, end - at));
    }
    input.erase(0, at);
    if (input.size() > kMaxControlLine) {
      connection_.Send(ControlError(0, Error(absl::StatusCode::kInvalidArgument,
                                             "request: longer than {} bytes", kMaxControlLine)));
      connection_.Close();
      input.clear();
    }
  }
  void OnDrained() override {
    // Finishing takes a stream off the map.
    std::vector<std::uint64_t> ids;
    for (const auto& [id, rows] : rows_) {
      ids.push_back(id);
    }
    for (const std::uint64_t id : ids) {
      rows_[id]->Continue();
    }
  }

 private:
  void Answer(std::string_view line) {
    if (line.empty() || line == "\r") {
      return;
    }
    std::uint64_t id = 0;
    const absl::StatusOr<ControlRequest> request = ParseControlRequest(line, &id);
    if (!request.ok()) {
      connection_.Send(ControlError(id, request.status()));
      return;
    }
    if (rows_.size() + listeners_.size() >= kMostRequests || rows_.contains(request->id) ||
        listeners_.contains(request->id)) {
      connection_.Send(ControlError(
          id, Error(absl::StatusCode::kResourceExhausted,
                    "id {} is in use, or {} requests are under way", id, kMostRequests)));
      return;
    }
    Do(*request);
  }

  void Do(const ControlRequest& request) {
    switch (request.verb) {
      case ControlVerb::kPing:
        return Ping(request);
      case ControlVerb::kStatus:
        return connection_.Send(ControlResult(request.id, StatusText(doors_)));
      case ControlVerb::kMetrics: {
        JsonWriter json;
        return connection_.Send(ControlResult(request.id, json.Text(MetricsText(doors_)).Take()));
      }
      case ControlVerb::kEvents:
        return Events(request);
      case ControlVerb::kRows:
        return Rows(request);
      case ControlVerb::kDivert:
        return Move(request, Side::kMinion);
      case ControlVerb::kRestore:
        return Move(request, Side::kPrimary);
      case ControlVerb::kAudit:
        return Audit(request);
      case ControlVerb::kReload:
        return Reply(request.id, doors_.reload(), "null");
    }
  }

  void Reply(std::uint64_t id, const absl::Status& status, std::string_view result) {
    connection_.Send(status.ok() ? ControlResult(id, result) : ControlError(id, status));
  }

  void Ping(const ControlRequest& request) {
    const PairStatus status = doors_.engine->status();
    const ProcessFacts facts = doors_.facts();
    JsonWriter json;
    json.BeginObject();
    json.Key("pair").Text(status.pair);
    json.Key("roles").Text(facts.roles);
    json.Key("manages").Bool(facts.manages);
    json.Key("acting").Bool(status.acting);
    json.Key("version").Text(facts.version);
    connection_.Send(ControlResult(request.id, json.EndObject().Take()));
  }

  void Follow(std::uint64_t id) {
    listeners_[id] = doors_.events->Listen([this, id](const std::string& json) {
      if (connection_.unsent() < kMostUnsent) {
        connection_.Send(ControlPart(id, "event", json));
      }
    });
  }
  void Unfollow(std::uint64_t id) {
    if (const auto found = listeners_.find(id); found != listeners_.end()) {
      doors_.events->Forget(found->second);
      listeners_.erase(found);
    }
  }

  void Events(const ControlRequest& request) {
    for (const std::string& json : doors_.events->last()) {
      connection_.Send(ControlPart(request.id, "event", json));
    }
    if (request.follow) {
      Follow(request.id);  // to the end of the connection
    } else {
      Reply(request.id, absl::OkStatus(), "null");
    }
  }

  void Move(const ControlRequest& request, Side to) {
    const std::uint64_t id = request.id;
    if (request.dry_run) {
      const absl::StatusOr<MovePreview> preview = doors_.engine->Preview(to);
      return Reply(id, preview.status(), preview.ok() ? PreviewToJson(*preview) : "");
    }
    Follow(id);
    auto done = [this, id, alive = alive_](const absl::Status& status) {
      if (*alive) {
        Unfollow(id);
        Reply(id, status, StatusText(doors_));
      }
    };
    to == Side::kMinion ? doors_.engine->Divert(done) : doors_.engine->Restore(done);
  }

  void Audit(const ControlRequest& request) {
    const std::uint64_t id = request.id;
    Follow(id);
    doors_.engine->Audit(request.box,
                         [this, id, alive = alive_](const absl::StatusOr<AuditResult>& result) {
                           if (*alive) {
                             Unfollow(id);
                             Reply(id, result.status(), result.ok() ? AuditToJson(*result) : "");
                           }
                         });
  }

  void Rows(const ControlRequest& request) {
    const StateSchema* schema = nullptr;
    std::string names;
    for (const StateSchema& table : doors_.tables) {
      if (schema == nullptr && (request.table.empty() || request.table == table.name())) {
        schema = &table;
      }
      names += (names.empty() ? "" : ", ") + table.name();
    }
    if (schema == nullptr) {
      return Reply(request.id,
                   Error(absl::StatusCode::kNotFound, "no table \"{}\" here; there is {}",
                         request.table, names.empty() ? "none" : names),
                   "");
    }
    const std::uint64_t id = request.id;
    RowStream::Sink sink;
    sink.row = [this, id](const std::string& row) {
      connection_.Send(ControlPart(id, "row", row));
    };
    sink.room = [this] {
      return connection_.unsent() < kMostUnsent;
    };
    sink.done = [this, id](const absl::Status& status, std::uint64_t rows) {
      const std::unique_ptr<RowStream> stream = std::move(rows_[id]);
      rows_.erase(id);
      JsonWriter json;
      Reply(id, status, json.BeginObject().Key("rows").Number(rows).EndObject().Take());
    };
    rows_[id] =
        std::make_unique<RowStream>(*schema, request.limit, *doors_.store, loop_, std::move(sink));
  }

  StreamConnection& connection_;
  const PairDoors& doors_;
  Loop& loop_;
  std::map<std::uint64_t, std::uint64_t> listeners_;  ///< request -> listener
  std::map<std::uint64_t, std::unique_ptr<RowStream>> rows_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

absl::StatusOr<std::unique_ptr<StreamServer>> NewControlServer(const std::string& path,
                                                               const std::string& group,
                                                               const PairDoors& doors, Loop& loop) {
  absl::StatusOr<UniqueFd> socket = ListenUnix(path, group);
  if (!socket.ok()) {
    return socket.status();
  }
  return StreamServer::Listen(*std::move(socket), loop, {}, [&](StreamConnection& connection) {
    return std::make_unique<Session>(connection, doors, loop);
  });
}

}  // namespace mimi::service
