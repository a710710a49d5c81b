#include "src/steering/programs.h"

#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "src/base/duration_text.h"
#include "src/base/status.h"

namespace mimi::internal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// How it ended, for the operator. REQUIRES: it failed.
std::string Why(const ChildEnd& end, Duration deadline) {
  std::string why;
  if (end.timed_out) {
    why = fmt::format("killed, since it had not ended within {}", DurationText(deadline));
  } else if (end.signal != 0) {
    why = fmt::format("ended by signal {} ({})", end.signal, strsignal(end.signal));
  } else if (end.exit_code >= 0) {
    why = fmt::format("ended with {}", end.exit_code);
  } else {
    why = "how it ended is not known: this process does not wait for its children (SIGCHLD)";
  }
  const std::string_view words = Trimmed(end.errors);
  return words.empty() ? why : fmt::format("{}: {}", why, words);
}

}  // namespace

Programs::Programs(Loop& loop, bool shell, Duration deadline, LogCallback log)
    : loop_(loop), shell_(shell), deadline_(deadline), log_(std::move(log)) {
}

absl::Status Programs::Check(const Program& program, bool shell) {
  constexpr auto kWrong = absl::StatusCode::kInvalidArgument;
  if (program.words.empty() || program.words[0].empty()) {
    return Error(kWrong, "{}: expected a program with its arguments", program.name);
  }
  if (shell && program.words.size() != 1) {
    return Error(kWrong, "{}: with shell it is one line, got {} words", program.name,
                 program.words.size());
  }
  for (const std::string& word : program.words) {
    if (word.find('\0') != std::string::npos) {
      return Error(kWrong, "{}: a NUL in \"{}\"", program.name, word.c_str());
    }
  }
  return absl::OkStatus();
}

absl::Status Programs::CheckDeadline(Duration deadline) {
  if (deadline <= Duration::zero()) {
    return Error(absl::StatusCode::kInvalidArgument, "deadline: expected more than 0, got {} ns",
                 deadline.count());
  }
  return absl::OkStatus();
}

void Programs::Run(const Program& program, std::vector<std::string> environment,
                   const Steering::Guard& guard, OutputCallback done) {
  ChildOptions options;
  options.command = program.words;
  if (shell_) {
    options.command = {"/bin/sh", "-c", program.words[0]};
  }
  options.environment = std::move(environment);
  options.deadline = deadline_;

  absl::Status refused = absl::OkStatus();
  if (guard && !guard()) {
    refused =
        Error(absl::StatusCode::kAborted, "{}: this manager may not act any more", program.name);
  } else {
    const std::uint64_t id = ++last_id_;
    absl::StatusOr<std::unique_ptr<LoopChild>> child = LoopChild::Start(
        std::move(options), loop_,
        [this, id, what = fmt::format("{} ({})", program.name, program.words[0]),
         began = loop_.now(), done](const ChildEnd& end) { OnEnd(id, what, began, end, done); });
    if (child.ok()) {
      children_.emplace(id, *std::move(child));
      return;
    }
    refused = Prepend(program.name, child.status());
  }
  loop_.Post([alive = std::weak_ptr<bool>(alive_), done = std::move(done), refused] {
    if (!alive.expired()) {
      done(refused);
    }
  });
}

void Programs::OnEnd(std::uint64_t id, const std::string& what, MonotonicTime began,
                     const ChildEnd& end, const OutputCallback& done) {
  children_.erase(id);
  if (!end.ok()) {
    done(Error(absl::StatusCode::kUnavailable, "{}: {}", what, Why(end, deadline_)));
    return;
  }
  log_.Debug("{}: ended well after {}", what, DurationText(loop_.now() - began));
  done(end.output);
}

void Programs::Ask(const Program& program, Steering::ObserveCallback done) {
  Run(program, {}, nullptr,
      [name = program.name, done = std::move(done)](const absl::StatusOr<std::string>& output) {
        if (!output.ok()) {
          done(output.status());
          return;
        }
        const std::string_view word = Trimmed(*output);
        if (word == SideName(Side::kPrimary)) {
          done(Side::kPrimary);
        } else if (word == SideName(Side::kMinion)) {
          done(Side::kMinion);
        } else {
          done(Error(absl::StatusCode::kUnavailable,
                     "{}: expected \"primary\" or \"minion\", got \"{}\"", name,
                     word.substr(0, 60)));
        }
      });
}

}  // namespace mimi::internal
