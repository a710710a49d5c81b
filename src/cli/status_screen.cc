#include "src/cli/status_screen.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/core.h>

#include "src/base/duration_text.h"

namespace mimi::cli {
namespace {

using internal::Member;
using internal::Node;

// A member of a status, with every absence answered by a default: another version's process may
// leave things out.
class View {
 public:
  explicit View(const Node* node) : node_(node) {}

  View operator[](std::string_view name) const {
    const Member* const member = node_ == nullptr ? nullptr : node_->Find(name);
    return View(member == nullptr ? nullptr : &member->value);
  }
  bool exists() const { return node_ != nullptr && node_->kind != Node::Kind::kNull; }
  std::string text() const { return node_ == nullptr ? "" : node_->text; }
  bool yes() const { return node_ != nullptr && node_->boolean; }
  double number() const {
    if (node_ == nullptr) {
      return 0;
    }
    const auto whole = static_cast<double>(node_->magnitude) * (node_->negative ? -1 : 1);
    return node_->kind == Node::Kind::kInteger ? whole : node_->real;
  }
  std::uint64_t count() const { return node_ == nullptr ? 0 : node_->magnitude; }
  std::string time() const {
    return DurationText(
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(number())));
  }
  const std::vector<Node>& items() const {
    static const std::vector<Node> kNone;
    return node_ == nullptr ? kNone : node_->items;
  }

 private:
  const Node* node_;
};

// "102 333": groups of three.
std::string Grouped(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) {
    text.insert(at - 3, " ");
  }
  return text;
}

class Screen {
 public:
  Screen(const Node& status, bool colour) : status_(&status), colour_(colour) {}

  std::string Draw() {
    Head();
    Boxes();
    Rows();
    Health();
    Moves();
    return std::move(out_);
  }

 private:
  std::string Paint(std::string_view text, std::string_view code) const {
    return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  static std::string_view WordColour(std::string_view word) {
    return word == "ready"      ? "1;32"
           : word == "syncing"  ? "1;36"
           : word == "degraded" ? "1;33"
                                : "1;31";
  }
  void Line(const std::string& text) { out_ += text + "\n"; }

  void Head() {
    const std::string word = status_["readiness"].text();
    std::string upper = word;
    std::ranges::transform(upper, upper.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    const View step = status_["step"];
    const std::string moving =
        step.exists() ? fmt::format(" ({}: {})", status_["phase"].text(), step.text()) : "";
    Line(fmt::format("{}   {}   traffic at the {}{}", Paint(status_["pair"].text(), "1"),
                     Paint(upper, WordColour(word)), Paint(status_["traffic"].text(), "1"),
                     moving));
    if (const std::string reason = status_["reason"].text(); !reason.empty()) {
      for (std::size_t at = 0; at <= reason.size();) {
        const std::size_t end = std::min(reason.find("; ", at), reason.size());
        Line("  · " + reason.substr(at, end - at));
        at = end + 2;
      }
    }
    if (status_["unfenced"].yes()) {
      Line("  · " + Paint("unfenced", "1;31") +
           ": traffic was moved while the store could not be asked");
    }
    Line("");
  }

  void Boxes() {
    for (const std::string_view name : {"primary", "minion"}) {
      const View box = status_[name];
      std::string health = box["health"].text();
      if (box["health_since_ms"].exists()) {
        health += " for " + box["health_since_ms"].time();
      }
      const bool traffic = status_["traffic"].text() == name;
      Line(fmt::format("{} {:<8} {:<16} {}", traffic ? "▶" : " ", name, health,
                       box["health_reason"].text()));
    }
    Line("");
  }

  static std::string RowsOf(View part) {
    if (!part.exists()) {
      return "-";
    }
    return Grouped(part["rows"].count()) + (part["heard"].yes() ? "" : "?");
  }

  void Rows() {
    // State flows from the box with the traffic to the other one.
    const bool home = status_["traffic"].text() != "minion";
    const View source = status_[home ? "primary" : "minion"]["source"];
    const View sink = status_[home ? "minion" : "primary"]["sink"];
    Line(fmt::format("  rows     driver {}  →  store {}  →  {} {}", RowsOf(source),
                     Grouped(status_["store"]["rows"].count()), home ? "minion" : "primary",
                     RowsOf(sink)));
    if (sink.exists()) {
      const View age = sink["staleness_ms"];
      Line(fmt::format("  age      p50 {}, p99 {}, max {}; {} behind", age["p50"].time(),
                       age["p99"].time(), age["max"].time(),
                       Grouped(status_[home ? "minion" : "primary"]["rows_behind"].count())));
    }
    const std::uint64_t refused = sink["refused"].count() + source["refused"].count();
    Line(fmt::format("  lost     {}; resyncs completed {}; refused {}",
                     Grouped(source["lost"].count()), Grouped(source["resyncs"].count()),
                     Grouped(refused)));
    if (sink.exists()) {
      Line(fmt::format("  audit    {}",
                       !sink["auditable"].yes()    ? "this minion cannot show what it holds"
                       : !sink["audited"].exists() ? "none yet"
                                                   : fmt::format("{} rows differed, at {}",
                                                                 Grouped(sink["differing"].count()),
                                                                 sink["audited"].text())));
    }
  }

  void Health() {
    const View store = status_["store"];
    Line(fmt::format("  store    {}, {}, term {}{}", store["url"].text(),
                     store["available"].yes() ? "available" : Paint("unreachable", "1;31"),
                     store["term"].count(),
                     store["reason"].text().empty() ? "" : "; " + store["reason"].text()));
    const View process = status_["process"];
    const std::string manager = !process["manages"].yes() ? ""
                                : process["acting"].yes() ? ", acting manager"
                                                          : ", standing by as manager";
    const std::string scheduling = process["liveness_scheduling"].text();
    Line(fmt::format("  process  {} ({}{}), up {}{}", process["pid"].count(),
                     process["roles"].text(), manager, process["up_ms"].time(),
                     scheduling.empty() ? "" : "; liveness at " + scheduling));
  }

  void Moves() {
    const View moves = status_["moves"];
    if (moves.items().empty()) {
      return;
    }
    Line("");
    Line("  last moves");
    const std::size_t first = moves.items().size() > 5 ? moves.items().size() - 5 : 0;
    for (std::size_t i = moves.items().size(); i-- > first;) {
      const View move(&moves.items()[i]);
      Line(fmt::format("  {:>8} ago  to the {:<8} {:<9} {:<6} {:>8}  {}", move["ago_ms"].time(),
                       move["to"].text(), move["planned"].yes() ? "planned" : "unplanned",
                       move["succeeded"].yes() ? "done" : Paint("failed", "1;31"),
                       move["took_ms"].time(), move["reason"].text()));
    }
  }

  View status_;
  bool colour_;
  std::string out_;
};

}  // namespace

std::string StatusScreen(const Node& status, bool colour) {
  return Screen(status, colour).Draw();
}

std::string RowLine(const std::string& json) {
  const absl::StatusOr<Node> row = internal::ParseJson(json, "row");
  if (!row.ok() || row->kind != Node::Kind::kTable) {
    return json + "\n";
  }
  std::string line;
  for (const Member& member : row->members) {
    const Node& value = member.value;
    std::string text = value.text;
    if (value.kind == Node::Kind::kInteger) {
      text = fmt::format("{}{}", value.negative ? "-" : "", value.magnitude);
    } else if (value.kind == Node::Kind::kReal) {
      text = fmt::format("{}", value.real);
    } else if (value.kind == Node::Kind::kBool) {
      text = value.boolean ? "true" : "false";
    }
    line += fmt::format("{}{}={}", line.empty() ? "" : " ", member.name, text);
  }
  return line + "\n";
}

bool IsReady(const Node& status) {
  return View(&status)["readiness"].text() == "ready";
}

}  // namespace mimi::cli
