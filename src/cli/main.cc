// mimi: the program. Arguments only; what the commands do is in *_command(s).cc.

#include <CLI/CLI.hpp>

#include "src/cli/commands.h"
#include "src/cli/version.h"

namespace {

using namespace mimi::cli;

void AddCommon(CLI::App* command, CommonOptions* options, bool pair_required) {
  auto* const pair = command->add_option("PAIR", options->pair, "the pair's name");
  if (pair_required) {
    pair->required();
  }
  command->add_option("--socket", options->socket, "the control socket, where it is not the usual");
  command->add_flag("--json", options->json, "for programs");
}

struct Arguments {
  RunOptions run;
  bool check_json = false;
  StatusOptions status;
  FlowsOptions flows;
  MoveOptions divert;
  MoveOptions restore{.common = {}, .dry_run = false, .restore = true};
  AuditOptions audit;
  EventsOptions events;
  CommonOptions reload;
  ParseOptions parse;
  StoreInfoOptions info;
  MinionRemoveOptions remove;
};

void AddRun(CLI::App& app, Arguments* arguments, int* code) {
  CLI::App* const run = app.add_subcommand("run", "run what a configuration says");
  CLI::App* const check =
      app.add_subcommand("check", "check a configuration, and say which rights it needs");
  for (CLI::App* const command : {run, check}) {
    command->add_option("CONFIG", arguments->run.config, "a TOML file")->required();
    command->add_option("--role", arguments->run.roles,
                        "only this part: driver, minion or manager; may be repeated");
  }
  run->add_option("--log-level", arguments->run.log_level, "instead of the configuration's")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  check->add_flag("--json", arguments->check_json, "for programs");
  run->callback([=] { *code = RunCommand(arguments->run); });
  check->callback([=] { *code = CheckCommand(arguments->run, arguments->check_json); });
}

void AddWatching(CLI::App& app, Arguments* arguments, int* code) {
  CLI::App* const status = app.add_subcommand(
      "status", "how a pair stands; exit code 1 when it is not ready. Without PAIR: all here");
  AddCommon(status, &arguments->status.common, false);
  status->add_flag("-w,--watch", arguments->status.watch, "again each second");
  status->callback([=] { *code = StatusCommand(arguments->status); });

  CLI::App* const flows = app.add_subcommand("flows", "the rows of a pair's table");
  AddCommon(flows, &arguments->flows.common, false);
  flows->add_option("--table", arguments->flows.table, "where there are several");
  flows->add_option("--limit", arguments->flows.limit, "at most so many rows");
  flows->callback([=] { *code = FlowsCommand(arguments->flows); });

  CLI::App* const events = app.add_subcommand("events", "what happened to a pair");
  AddCommon(events, &arguments->events.common, false);
  events->add_flag("-f,--follow", arguments->events.follow, "go on with those that come");
  events->callback([=] { *code = EventsCommand(arguments->events); });
}

void AddActing(CLI::App& app, Arguments* arguments, int* code) {
  CLI::App* const divert = app.add_subcommand("divert", "move the traffic to the minion, planned");
  CLI::App* const restore = app.add_subcommand("restore", "move the traffic back to the primary");
  for (auto [command, options] :
       {std::pair{divert, &arguments->divert}, std::pair{restore, &arguments->restore}}) {
    AddCommon(command, &options->common, true);
    command->add_flag("-n,--dry-run", options->dry_run, "only say what would be done");
    command->callback([options = options, code] { *code = MoveCommand(*options); });
  }

  CLI::App* const audit = app.add_subcommand(
      "audit", "compare a data plane with the store, and repair it; exit code 1 when it differed");
  AddCommon(audit, &arguments->audit.common, true);
  audit->add_option("--box", arguments->audit.box, "primary or minion")
      ->check(CLI::IsMember({"primary", "minion"}));
  audit->callback([=] { *code = AuditCommand(arguments->audit); });

  CLI::App* const reload = app.add_subcommand("reload", "read rules and files again, as SIGHUP");
  AddCommon(reload, &arguments->reload, true);
  reload->callback([=] { *code = ReloadCommand(arguments->reload); });
}

void AddParse(CLI::App& app, Arguments* arguments, int* code) {
  CLI::App* const parse =
      app.add_subcommand("parse", "try log rules on lines: a JSON object for each that they know");
  ParseOptions* const options = &arguments->parse;
  parse->add_option("--pack", options->packs, "rules of a shipped pack; may be repeated")
      ->allow_extra_args(false);
  parse->add_option("--rules", options->rule_files, "rules of a file; may be repeated")
      ->allow_extra_args(false);
  parse->add_option("--pack-directory", options->pack_directory, "instead of the usual places");
  parse->add_option("--schema", options->schema,
                    "a TOML definition of the rows, where they are not mimi.flow");
  parse->add_flag("--refused", options->refused,
                  "also the lines that a rule could not read, and why");
  parse->add_option("FILE", options->file, "the lines; standard input without it");
  parse->callback([=] { *code = ParseCommand(*options); });
}

void AddStore(CLI::App& app, Arguments* arguments, int* code) {
  CLI::App* const store = app.add_subcommand("store", "state repositories");
  store->require_subcommand(1);
  CLI::App* const info = store->add_subcommand("info", "what a repository holds");
  info->add_option("URL", arguments->info.url, "file:/var/lib/mimi/edge1, redis://host/0, …")
      ->required();
  info->add_option("--pair", arguments->info.pair, "where a repository serves several");
  info->add_flag("--json", arguments->info.json, "for programs");
  info->callback([=] { *code = StoreInfoCommand(arguments->info); });
}

void AddMinion(CLI::App& app, Arguments* arguments, int* code) {
  CLI::App* const minion = app.add_subcommand("minion", "what a minion leaves behind");
  minion->require_subcommand(1);
  CLI::App* const remove = minion->add_subcommand(
      "remove", "undo all that a pair's netfilter minion and conntrack driver have set up here");
  MinionRemoveOptions* const options = &arguments->remove;
  remove->add_option("PAIR", options->pair, "the pair's name")->required();
  remove->add_option("--socket", options->socket, "the control socket, to see that nobody runs");
  remove->add_option("--namespace", options->network_namespace, "the minion's network namespace");
  remove->add_option("--state-directory", options->state_directory,
                     "where the originals are saved");
  remove->add_flag("--force", options->force, "also under traffic");
  remove->callback([=] { *code = MinionRemoveCommand(*options); });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("mimi keeps a middlebox's connections alive when the middlebox dies");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failed or the pair is not ready, 2 usage or configuration");
  Arguments arguments;
  int code = kDone;
  AddRun(app, &arguments, &code);
  AddWatching(app, &arguments, &code);
  AddActing(app, &arguments, &code);
  AddParse(app, &arguments, &code);
  AddStore(app, &arguments, &code);
  AddMinion(app, &arguments, &code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;  // help and version are no errors
  }
  return code;
}
