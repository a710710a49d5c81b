// mimi store info URL: what a repository holds, without a process that serves it.

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/core.h>

#include "mimi/control.h"
#include "mimi/flow.h"
#include "mimi/loop.h"

#include "src/base/status.h"
#include "src/cli/commands.h"
#include "src/cli/kinds.h"
#include "src/cli/terminal.h"
#include "src/config/config.h"
#include "src/service/json_writer.h"

namespace mimi::cli {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

struct TableFacts {
  std::string name;
  std::uint64_t rows = 0;
  std::uint64_t erased = 0;
};

// Reads the whole of a store once.
class Inspection {
 public:
  Inspection(StateStore& store, Loop& loop) : store_(store), loop_(loop) {}

  absl::Status Run() {
    loop_.At(loop_.now() + kPatience, [this] {
      Finish(Error(absl::StatusCode::kUnavailable, "no answer for 30 s{}{}",
                   store_.state().reason.empty() ? "" : ": ", store_.state().reason));
    });
    // Opening waits until the store is loaded, or cannot be.
    store_.Open(ControlSchema(), [this](const absl::Status& opened) {
      if (!opened.ok()) {
        Finish(opened);
        return;
      }
      Read();
    });
    loop_.Run();
    return status_;
  }
  const std::map<TableId, TableFacts>& tables() const { return tables_; }

 private:
  void Finish(const absl::Status& status) {
    status_ = status;
    cursor_.reset();
    loop_.Stop();
  }
  void Read() {
    auto cursor = store_.Snapshot(0, [this] { Pull(); });
    if (!cursor.ok()) {
      Finish(cursor.status());
      return;
    }
    cursor_ = *std::move(cursor);
    Pull();
  }
  void Pull() {
    while (cursor_ != nullptr) {
      const absl::StatusOr<std::optional<BatchView>> batch = cursor_->Next();
      if (!batch.ok()) {
        Finish(batch.status());
      } else if (!batch->has_value()) {
        if (cursor_->done()) {
          Finish(absl::OkStatus());
        }
        return;
      } else {
        Count(**batch);
      }
    }
  }
  void Count(const BatchView& batch) {
    TableFacts& facts = tables_[batch.table()];
    if (facts.name.empty()) {
      facts.name = NameOf(batch.table());
    }
    for (const RecordView record : batch) {
      ++(record.op == Op::kPut ? facts.rows : facts.erased);
    }
  }
  std::string NameOf(TableId table) const {
    for (const StateSchema* schema : {&ControlSchema(), &FlowSchema()}) {
      if (schema->table() == table) {
        return schema->name();
      }
    }
    const std::optional<StateSchema> schema = store_.schema(table);
    return schema ? schema->name() : fmt::format("table {:016x}", table);
  }

  StateStore& store_;
  Loop& loop_;
  std::unique_ptr<Cursor> cursor_;
  std::map<TableId, TableFacts> tables_;
  absl::Status status_ = absl::OkStatus();
};

std::string ModeName(ClaimMode mode) {
  return mode == ClaimMode::kShared ? "shared" : "exclusive";
}

void PrintInfo(const std::string& url, const StoreState& state,
               const std::map<TableId, TableFacts>& tables) {
  Print(fmt::format("{}\n  incarnation  {:016x}\n", url, state.incarnation));
  Print(fmt::format("  feed         positions {} to {}, {} bytes\n", state.trimmed, state.head,
                    state.feed_bytes));
  Print(fmt::format("  term         {} ({}), claimed by {:016x}\n", state.term,
                    ModeName(state.mode), state.claimant));
  Print(fmt::format("  memory       {} bytes; {} tombstones; {} rows left out of full tables\n",
                    state.memory_bytes, state.tombstones, state.table_full));
  for (const auto& [id, facts] : tables) {
    Print(fmt::format("  table        {}: {} rows, {} erased keys remembered\n", facts.name,
                      facts.rows, facts.erased));
  }
}

void PrintInfoJson(const std::string& url, const StoreState& state,
                   const std::map<TableId, TableFacts>& tables) {
  service::JsonWriter json;
  json.BeginObject().Key("url").Text(url);
  json.Key("incarnation").Text(fmt::format("{:016x}", state.incarnation));
  json.Key("trimmed").Number(state.trimmed).Key("head").Number(state.head);
  json.Key("feed_bytes").Number(state.feed_bytes).Key("memory_bytes").Number(state.memory_bytes);
  json.Key("term").Number(state.term).Key("mode").Text(ModeName(state.mode));
  json.Key("claimant").Text(fmt::format("{:016x}", state.claimant));
  json.Key("tombstones").Number(state.tombstones).Key("table_full").Number(state.table_full);
  json.Key("tables").BeginList();
  for (const auto& [id, facts] : tables) {
    json.BeginObject().Key("name").Text(facts.name).Key("rows").Number(facts.rows);
    json.Key("erased").Number(facts.erased).EndObject();
  }
  Print(json.EndList().EndObject().Take() + "\n");
}

}  // namespace

int StoreInfoCommand(const StoreInfoOptions& options) {
  // A question must not make what it asks about.
  const absl::StatusOr<config::Part<StateStore>> part =
      config::ReadStoreUrl(options.url, options.pair, AllKinds(), {{"create", false}});
  if (!part.ok()) {
    return Fail(part.status());
  }
  absl::StatusOr<std::unique_ptr<Loop>> loop = NewEpollLoop();
  if (!loop.ok()) {
    return Fail(loop.status());
  }
  config::BuildContext context{.loop = **loop,
                               .pair = options.pair,
                               .node = {},
                               .log = StandardErrorLog(LogLevel::kWarning)};
  absl::StatusOr<config::Made<StateStore>> made = part->build(context);
  if (!made.ok()) {
    return Fail(made.status());
  }
  Inspection inspection(*made->part, **loop);
  if (const absl::Status read = inspection.Run(); !read.ok()) {
    return Fail(Prepend(config::WithoutPassword(options.url), read));
  }
  (options.json ? PrintInfoJson : PrintInfo)(config::WithoutPassword(options.url),
                                             made->part->state(), inspection.tables());
  return kDone;
}

}  // namespace mimi::cli
