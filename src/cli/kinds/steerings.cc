// [steering] kind = "command", "passive".

#include "mimi/builtin/steering.h"

#include "src/cli/kinds.h"

namespace mimi::cli {

using config::Build;
using config::BuildContext;
using config::MadeFrom;
using config::ReadContext;
using config::Section;

namespace {

// A program with its arguments; or with `shell` one line.
void ReadProgram(Section& section, std::string_view key, std::vector<std::string>* program) {
  section.Read(key, program);
}

template <class Options, class Make>
Build<Steering> Builder(const Options& options, Make make) {
  return [options, make](BuildContext& build) {
    Options made = options;
    made.log = build.log;
    return MadeFrom(make(made, build.loop));
  };
}

}  // namespace

Build<Steering> ReadCommandSteering(Section& section, ReadContext& /*context*/) {
  CommandSteeringOptions options;
  section.Require("divert", "a program with its arguments, as a list");
  section.Require("restore", "a program with its arguments, as a list");
  section.Require("observe", "a program that prints \"primary\" or \"minion\", as a list");
  ReadProgram(section, "divert", &options.divert);
  ReadProgram(section, "restore", &options.restore);
  ReadProgram(section, "observe", &options.observe);
  section.Read("shell", &options.shell);
  section.Read("deadline", &options.deadline);
  return Builder(options, NewCommandSteering);
}

Build<Steering> ReadPassiveSteering(Section& section, ReadContext& /*context*/) {
  PassiveSteeringOptions options;
  ReadProgram(section, "observe", &options.observe);
  section.Read("shell", &options.shell);
  section.Read("deadline", &options.deadline);
  return Builder(options, NewPassiveSteering);
}

}  // namespace mimi::cli
