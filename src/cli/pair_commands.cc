// The commands that ask a running process: status, flows, divert, restore, audit, events, reload.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/cli/commands.h"
#include "src/cli/control_client.h"
#include "src/cli/runtime_directory.h"
#include "src/cli/status_screen.h"
#include "src/cli/terminal.h"
#include "src/service/json_writer.h"

namespace mimi::cli {
namespace {

using internal::Member;
using internal::Node;

std::string Quoted(std::string_view text) {
  service::JsonWriter json;
  return json.Text(text).Take();
}

std::string TextOf(const Node& node, std::string_view name) {
  const Member* const member = node.Find(name);
  return member == nullptr ? "" : member->value.text;
}

std::uint64_t CountOf(const Node& node, std::string_view name) {
  const Member* const member = node.Find(name);
  return member == nullptr ? 0 : member->value.magnitude;
}

// What happens while a long command runs, for who waits at a terminal.
void ShowProgress(std::string_view member, const std::string& json) {
  if (member != "event" || !ErrorIsTerminal()) {
    return;
  }
  if (const absl::StatusOr<Node> event = ParseAnswer(json); event.ok()) {
    PrintError(fmt::format("  {}: {}", TextOf(*event, "kind"), TextOf(*event, "detail")));
  }
}

absl::StatusOr<std::string> AskStatus(const CommonOptions& options) {
  absl::StatusOr<ControlClient> client = FindProcess(options.pair, options.socket, Wanted::kAny);
  return client.ok() ? client->Ask("\"verb\":\"status\"") : client.status();
}

// One pair's status. Answers with the exit code.
int ShowStatus(const CommonOptions& options, bool colour) {
  const absl::StatusOr<std::string> json = AskStatus(options);
  if (!json.ok()) {
    return Fail(json.status());
  }
  const absl::StatusOr<Node> status = ParseAnswer(*json);
  if (!status.ok()) {
    return Fail(status.status());
  }
  Print(options.json ? *json + "\n" : StatusScreen(*status, colour));
  return IsReady(*status) ? kDone : kFailed;
}

// Every pair whose process runs here, by name, each once.
std::vector<std::string> PairsHere() {
  std::vector<std::string> pairs;
  for (const std::string& path : FindSockets("")) {
    absl::StatusOr<ControlClient> client = ControlClient::Connect(path);
    const absl::StatusOr<std::string> answer =
        client.ok() ? client->Ask("\"verb\":\"ping\"") : client.status();
    if (const absl::StatusOr<Node> who = answer.ok() ? ParseAnswer(*answer) : answer.status();
        who.ok() && std::ranges::find(pairs, TextOf(*who, "pair")) == pairs.end()) {
      pairs.push_back(TextOf(*who, "pair"));
    }
  }
  return pairs;
}

int ShowAll(const CommonOptions& options, bool colour) {
  if (!options.pair.empty() || !options.socket.empty()) {
    return ShowStatus(options, colour);
  }
  const std::vector<std::string> pairs = PairsHere();
  if (pairs.empty()) {
    return ShowStatus(options, colour);  // says where it looked
  }
  int worst = kDone;
  for (const std::string& pair : pairs) {
    CommonOptions one = options;
    one.pair = pair;
    worst = std::max(worst, ShowStatus(one, colour));
    if (!options.json && pair != pairs.back()) {
      Print("\n");
    }
  }
  return worst;
}

}  // namespace

int StatusCommand(const StatusOptions& options) {
  if (!options.watch) {
    return ShowAll(options.common, OutputIsTerminal());
  }
  const bool screen = OutputIsTerminal() && !options.common.json;
  while (true) {
    if (screen) {
      Print("\x1b[H\x1b[2J");  // home, clear
    }
    const int code = ShowAll(options.common, screen);
    if (std::fflush(stdout) != 0) {
      return code;  // nobody reads any more
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int FlowsCommand(const FlowsOptions& options) {
  absl::StatusOr<ControlClient> client =
      FindProcess(options.common.pair, options.common.socket, Wanted::kSink);
  if (!client.ok()) {
    return Fail(client.status());
  }
  std::string request = "\"verb\":\"rows\"";
  if (!options.table.empty()) {
    request += ",\"table\":" + Quoted(options.table);
  }
  if (options.limit > 0) {
    request += fmt::format(",\"limit\":{}", options.limit);
  }
  std::uint64_t shown = 0;
  const bool counting = ErrorIsTerminal() && !OutputIsTerminal();
  const absl::StatusOr<std::string> answer =
      client->Ask(request, [&](std::string_view member, const std::string& json) {
        if (member == "row") {
          Print(options.common.json ? json + "\n" : RowLine(json));
          if (counting && ++shown % 10'000 == 0) {
            PrintError(fmt::format("\x1b[1A{} rows", shown));
          }
        }
      });
  if (!answer.ok()) {
    return Fail(answer.status());
  }
  return kDone;
}

int MoveCommand(const MoveOptions& options) {
  absl::StatusOr<ControlClient> client =
      FindProcess(options.common.pair, options.common.socket, Wanted::kManager);
  if (!client.ok()) {
    return Fail(client.status());
  }
  const std::string_view verb = options.restore ? "restore" : "divert";
  const absl::StatusOr<std::string> answer = client->Ask(
      fmt::format("\"verb\":\"{}\",\"dry_run\":{}", verb, options.dry_run), ShowProgress);
  if (!answer.ok()) {
    return Fail(answer.status());
  }
  const absl::StatusOr<Node> result = ParseAnswer(*answer);
  if (options.common.json || !result.ok()) {
    Print(*answer + "\n");
    return kDone;
  }
  if (!options.dry_run) {
    Print(fmt::format("traffic is at the {}\n", TextOf(*result, "traffic")));
    return kDone;
  }
  const Member* const steps = result->Find("steps");
  std::string words;
  for (const Node& step : steps != nullptr ? steps->value.items : std::vector<Node>()) {
    words += (words.empty() ? "" : ", ") + step.text;
  }
  Print(words.empty() ? "nothing to do: traffic is there, or on its way\n"
                      : fmt::format("would {}: {}\n", verb, words));
  return kDone;
}

int AuditCommand(const AuditOptions& options) {
  absl::StatusOr<ControlClient> client =
      FindProcess(options.common.pair, options.common.socket, Wanted::kSink);
  if (!client.ok()) {
    return Fail(client.status());
  }
  const absl::StatusOr<std::string> answer =
      client->Ask(fmt::format("\"verb\":\"audit\",\"box\":{}", Quoted(options.box)), ShowProgress);
  if (!answer.ok()) {
    return Fail(answer.status());
  }
  const absl::StatusOr<Node> result = ParseAnswer(*answer);
  if (!result.ok()) {
    return Fail(result.status());
  }
  const std::uint64_t differing =
      CountOf(*result, "missing") + CountOf(*result, "extra") + CountOf(*result, "different");
  if (options.common.json) {
    Print(*answer + "\n");
  } else {
    Print(fmt::format("{} rows compared: {} missing, {} extra, {} different; {} repaired\n",
                      CountOf(*result, "compared"), CountOf(*result, "missing"),
                      CountOf(*result, "extra"), CountOf(*result, "different"),
                      CountOf(*result, "repaired")));
    if (const Member* const findings = result->Find("findings"); findings != nullptr) {
      for (const Node& finding : findings->value.items) {
        Print("  " + finding.text + "\n");
      }
    }
  }
  return differing == 0 ? kDone : kFailed;
}

int EventsCommand(const EventsOptions& options) {
  absl::StatusOr<ControlClient> client =
      FindProcess(options.common.pair, options.common.socket, Wanted::kAny);
  if (!client.ok()) {
    return Fail(client.status());
  }
  const absl::StatusOr<std::string> answer =
      client->Ask(fmt::format("\"verb\":\"events\",\"follow\":{}", options.follow),
                  [&](std::string_view /*member*/, const std::string& json) {
                    const absl::StatusOr<Node> event = ParseAnswer(json);
                    Print(options.common.json || !event.ok()
                              ? json + "\n"
                              : fmt::format("{}  {:<10} {}\n", TextOf(*event, "at"),
                                            TextOf(*event, "kind"), TextOf(*event, "detail")));
                    std::fflush(stdout);
                  });
  return answer.ok() ? kDone : Fail(answer.status());
}

int ReloadCommand(const CommonOptions& options) {
  absl::StatusOr<ControlClient> client = FindProcess(options.pair, options.socket, Wanted::kSink);
  const absl::StatusOr<std::string> answer =
      client.ok() ? client->Ask("\"verb\":\"reload\"") : client.status();
  return answer.ok() ? kDone : Fail(answer.status());
}

}  // namespace mimi::cli
