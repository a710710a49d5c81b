#include "src/service/control_protocol.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/core.h>

#include "src/base/status.h"
#include "src/base/suggest.h"
#include "src/service/json_writer.h"
#include "src/state/document.h"

namespace mimi::service {
namespace {

using internal::Member;
using internal::Node;

struct Verb {
  std::string_view name;
  ControlVerb verb;
};
constexpr Verb kVerbs[] = {
    {"ping", ControlVerb::kPing},       {"status", ControlVerb::kStatus},
    {"metrics", ControlVerb::kMetrics}, {"events", ControlVerb::kEvents},
    {"rows", ControlVerb::kRows},       {"divert", ControlVerb::kDivert},
    {"restore", ControlVerb::kRestore}, {"audit", ControlVerb::kAudit},
    {"reload", ControlVerb::kReload},
};

struct Code {
  std::string_view name;
  absl::StatusCode code;
};
constexpr Code kCodes[] = {
    {"invalid_argument", absl::StatusCode::kInvalidArgument},
    {"failed_precondition", absl::StatusCode::kFailedPrecondition},
    {"not_found", absl::StatusCode::kNotFound},
    {"unavailable", absl::StatusCode::kUnavailable},
    {"resource_exhausted", absl::StatusCode::kResourceExhausted},
    {"data_loss", absl::StatusCode::kDataLoss},
    {"aborted", absl::StatusCode::kAborted},
    {"unimplemented", absl::StatusCode::kUnimplemented},
    {"deadline_exceeded", absl::StatusCode::kDeadlineExceeded},
    {"already_exists", absl::StatusCode::kAlreadyExists},
};

absl::Status Wrong(std::string_view member, std::string_view expected) {
  return Error(absl::StatusCode::kInvalidArgument, "{}: expected {}", member, expected);
}

template <class Named>
std::string Suggestion(std::string_view word, std::span<const Named> known) {
  std::vector<std::string_view> names;
  for (const Named& each : known) {
    names.push_back(each.name);
  }
  return DidYouMean(word, names);
}

absl::Status ReadMember(const Member& member, ControlRequest* request) {
  const Node& value = member.value;
  const bool text = value.kind == Node::Kind::kText;
  if (member.name == "verb") {
    const auto* const verb = std::ranges::find(kVerbs, value.text, &Verb::name);
    if (!text || verb == std::end(kVerbs)) {
      return Error(absl::StatusCode::kInvalidArgument, "verb: there is no \"{}\"{}",
                   value.text.substr(0, 60), Suggestion<Verb>(value.text, kVerbs));
    }
    request->verb = verb->verb;
  } else if (member.name == "dry_run" || member.name == "follow") {
    if (value.kind != Node::Kind::kBool) {
      return Wrong(member.name, "true or false");
    }
    (member.name == "follow" ? request->follow : request->dry_run) = value.boolean;
  } else if (member.name == "box") {
    if (!text || (value.text != "primary" && value.text != "minion")) {
      return Wrong("box", "\"primary\" or \"minion\"");
    }
    request->box = value.text == "primary" ? Side::kPrimary : Side::kMinion;
  } else if (member.name == "table") {
    if (!text) {
      return Wrong("table", "text");
    }
    request->table = value.text;
  } else if (member.name == "limit") {
    if (value.kind != Node::Kind::kInteger || value.negative) {
      return Wrong("limit", "a number of rows");
    }
    request->limit = value.magnitude;
  } else if (member.name != "id") {
    return Error(absl::StatusCode::kInvalidArgument, "unknown member \"{}\"",
                 member.name.substr(0, 60));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ControlRequest> ParseControlRequest(std::string_view line, std::uint64_t* id) {
  *id = 0;
  const absl::StatusOr<Node> document = internal::ParseJson(
      line, "request", {.bytes = kMaxControlLine, .depth = 3, .nodes = 64, .members = 32});
  if (!document.ok()) {
    return document.status();
  }
  if (document->kind != Node::Kind::kTable) {
    return Wrong("request", "an object with a verb");
  }
  ControlRequest request;
  if (const Member* const member = document->Find("id"); member != nullptr) {
    if (member->value.kind != Node::Kind::kInteger || member->value.negative) {
      return Wrong("id", "a number");
    }
    request.id = *id = member->value.magnitude;
  }
  if (document->Find("verb") == nullptr) {
    return Wrong("verb", "one of the protocol's verbs");
  }
  for (const Member& member : document->members) {
    if (const absl::Status read = ReadMember(member, &request); !read.ok()) {
      return read;
    }
  }
  return request;
}

std::string_view ControlVerbName(ControlVerb verb) {
  const auto* const found = std::ranges::find(kVerbs, verb, &Verb::verb);
  return found == std::end(kVerbs) ? "?" : found->name;
}

std::string ControlResult(std::uint64_t id, std::string_view result) {
  JsonWriter json;
  json.BeginObject().Key("id").Number(id).Key("ok").Bool(true).Key("result").Raw(result);
  return json.EndObject().Take() + "\n";
}

std::string ControlError(std::uint64_t id, const absl::Status& status) {
  JsonWriter json;
  json.BeginObject().Key("id").Number(id).Key("ok").Bool(false);
  json.Key("code").Text(StatusCodeName(status.code()));
  json.Key("message").Text(Message(status));
  return json.EndObject().Take() + "\n";
}

std::string ControlPart(std::uint64_t id, std::string_view member, std::string_view json) {
  JsonWriter writer;
  writer.BeginObject().Key("id").Number(id).Key(member).Raw(json);
  return writer.EndObject().Take() + "\n";
}

std::string_view StatusCodeName(absl::StatusCode code) {
  const auto* const found = std::ranges::find(kCodes, code, &Code::code);
  return found == std::end(kCodes) ? "unknown" : found->name;
}

absl::StatusCode StatusCodeNamed(std::string_view name) {
  const auto* const found = std::ranges::find(kCodes, name, &Code::name);
  return found == std::end(kCodes) ? absl::StatusCode::kUnknown : found->code;
}

}  // namespace mimi::service
