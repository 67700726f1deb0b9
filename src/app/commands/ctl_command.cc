#include "app/commands/ctl_command.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands/archive_flags.h"
#include "app/commands/exit_codes.h"
#include "app/control/admin_client.h"
#include "app/control/admin_flags.h"
#include "app/control/bundle.h"
#include "app/control/log_printer.h"
#include "app/control/operations.h"
#include "app/control/reply_fields.h"
#include "app/control/status_text.h"
#include "app/standard_output.h"
#include "base/log.h"
#include "base/text.h"
#include "config/environment.h"

namespace df::app {
namespace {

constexpr const char* kCommand = "df_engine ctl";

struct CtlFlags {
  AdminFlags access;
  std::string action;
  std::vector<std::string> arguments;
  bool is_json = false;
  bool is_not_waiting = false;
  std::string timeout = "150s";
  int64_t count = 20;
  bool follows = false;
  std::string output;

  std::string Argument(size_t index) const {
    return index < arguments.size() ? arguments[index] : "";
  }
};

struct Action {
  std::string_view name;
  std::string_view arguments;  ///< as the help shows them
  size_t min_arguments = 0;
  size_t max_arguments = 0;
  std::string_view flags;  ///< those that it reads beside those of access, each behind a space
  std::string_view summary;
  int (*run)(const AdminClient& client, const CtlFlags& flags);
};

int PrintStatus(const AdminClient& client, const CtlFlags& flags) {
  std::string target = "/api/v1/status";
  const bool is_one = !flags.arguments.empty();
  if (is_one) {
    const auto pipeline = LookUpPipeline(client, flags.Argument(0));
    if (!pipeline.ok()) {
      return FailControl(pipeline.status());
    }
    target = pipeline->Path() + "/status";
  }
  const auto reply = client.Get(target);
  if (!reply.ok()) {
    return FailControl(reply.status());
  }
  return PrintAnswer(flags.is_json ? reply->body
                     : is_one      ? PipelineStatusText(reply->json)
                                   : EngineStatusText(reply->json));
}

int PrintConfig(const AdminClient& client, const CtlFlags& flags) {
  std::string target = "/api/v1/config";
  if (!flags.arguments.empty()) {
    const auto pipeline = LookUpPipeline(client, flags.Argument(0));
    if (!pipeline.ok()) {
      return FailControl(pipeline.status());
    }
    target = pipeline->Path();
  }
  const auto reply = client.Get(target);
  if (!reply.ok()) {
    return FailControl(reply.status());
  }
  const bool ends_line = reply->body.ends_with('\n');
  return PrintAnswer(ends_line ? reply->body : reply->body + "\n");
}

int PrintMetrics(const AdminClient& client, const CtlFlags& flags) {
  const auto reply = client.Get(flags.is_json ? "/api/v1/metrics?format=json" : "/api/v1/metrics",
                                /*is_text=*/!flags.is_json);
  return reply.ok() ? PrintAnswer(flags.is_json ? reply->body + "\n" : reply->body)
                    : FailControl(reply.status());
}

/// Errors: Invalid, with what was meant.
Status CheckLevel(const std::string& level) {
  if (FindLogLevel(level).has_value()) {
    return Status::OK();
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < kNumLogLevels; ++i) {
    names.emplace_back(Name(static_cast<LogLevel>(i)));
  }
  const std::string nearest = NearestName(level, names);
  return Status::Invalid(fmt::format(
      "unknown log level '{}', expected one of {}{}", PrintableText(level), fmt::join(names, ", "),
      nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
}

int ChangeLogLevel(const AdminClient& client, const CtlFlags& flags) {
  AdminRequest request{.target = "/api/v1/log-level"};
  if (!flags.arguments.empty()) {
    const Status is_known = CheckLevel(flags.Argument(0));
    if (!is_known.ok()) {
      return FailControl(is_known);
    }
    request.method = "PUT";
    request.content_type = "application/json";
    request.body = nlohmann::json{{"level", flags.Argument(0)}}.dump();
  }
  const auto reply = client.AskAndWait(request);
  if (!reply.ok() || reply->is_refusal()) {
    return FailControl(reply.ok() ? RefusalOf(*reply, "") : reply.status());
  }
  return PrintAnswer(flags.is_json ? reply->body : TextOf(reply->json, "level") + "\n");
}

int Logs(const AdminClient& client, const CtlFlags& flags) {
  return PrintLog(client,
                  {.count = flags.count, .follows = flags.follows, .is_json = flags.is_json});
}

Result<OperationOptions> OptionsOf(const CtlFlags& flags) {
  OperationOptions options{.action = flags.action,
                           .file = flags.Argument(1),
                           .waits = !flags.is_not_waiting,
                           .is_json = flags.is_json};
  const auto timeout = ParseDuration(flags.timeout);
  if (!timeout.ok() || *timeout > std::chrono::minutes(10)) {
    return Status::Invalid(fmt::format(
        "--timeout: {}", timeout.ok()
                             ? fmt::format("found '{}', expected at most 10min", flags.timeout)
                             : timeout.status().message()));
  }
  options.timeout = *timeout;
  return options;
}

int Operate(const AdminClient& client, const CtlFlags& flags) {
  const auto options = OptionsOf(flags);
  return options.ok() ? RunOperation(client, flags.Argument(0), *options)
                      : FailControl(options.status());
}

int Pause(const AdminClient& client, const CtlFlags& flags) {
  return RunPause(client, flags.Argument(0), flags.Argument(1),
                  {.action = flags.action, .file = "", .is_json = flags.is_json});
}

int Reload(const AdminClient& client, const CtlFlags& flags) {
  const auto options = OptionsOf(flags);
  return options.ok() ? RunReload(client, *options) : FailControl(options.status());
}

int Shutdown(const AdminClient& client, const CtlFlags& flags) {
  const auto options = OptionsOf(flags);
  return options.ok() ? RunShutdown(client, *options) : FailControl(options.status());
}

int Bundle(const AdminClient& client, const CtlFlags& flags) {
  return flags.output.empty() ? FailControl(Status::Invalid("bundle: expected -o FILE"))
                              : WriteBundle(client, flags.output);
}

constexpr std::string_view kOfOperations = " --json --timeout --no-wait";

constexpr auto kActions = std::to_array<Action>({
    {"status", "[PIPELINE]", 0, 1, " --json", "phases, restarts, health and memory", PrintStatus},
    {"stop", "PIPELINE", 1, 1, kOfOperations, "drain a pipeline and keep it known", Operate},
    {"start", "PIPELINE", 1, 1, kOfOperations, "start it again", Operate},
    {"put", "PIPELINE FILE", 2, 2, kOfOperations,
     "make or change a pipeline: FILE ('-': stdin) is one entry of `pipelines`", Operate},
    {"delete", "PIPELINE", 1, 1, kOfOperations, "drain a pipeline and remove it", Operate},
    {"pause", "PIPELINE", 1, 1, " --json", "hold its receivers before their next batch", Pause},
    {"resume", "PIPELINE", 1, 1, " --json", "let them go on", Pause},
    {"step", "PIPELINE [N|DURATION]", 1, 2, " --json",
     "let so many batches through, or what is due in so much of the records' time", Pause},
    {"reload", "", 0, 0, kOfOperations,
     "read the document again and roll out what has changed, as SIGHUP does", Reload},
    {"logs", "", 0, 0, " --json --count --follow", "the last records of the log", Logs},
    {"log-level", "[LEVEL]", 0, 1, " --json", "what is logged, or will be until the process ends",
     ChangeLogLevel},
    {"metrics", "", 0, 0, " --json", "every metric, as Prometheus text", PrintMetrics},
    {"config", "[PIPELINE]", 0, 1, "", "the effective document as JSON, without secrets",
     PrintConfig},
    {"shutdown", "", 0, 0, kOfOperations, "drain everything and end the process", Shutdown},
    {"bundle", "", 0, 0, " --output",
     "status, document, metrics, log and versions as a tar file, for a report", Bundle},
});

std::string Footer() {
  std::string text = "Actions:\n";
  for (const Action& action : kActions) {
    text += fmt::format("  {:<28}  {}\n", fmt::format("{} {}", action.name, action.arguments),
                        action.summary);
  }
  return text +
         "\nPIPELINE is a name like main, or default/main where several groups have one.\n"
         "Exit codes: 0 well, 1 failed or nobody answers, 2 usage or a wrong document, 4 the end "
         "did not come\nin time, 5 no such pipeline.\n";
}

void AddFlags(CLI::App* command, CtlFlags* flags) {
  command->add_option("ACTION", flags->action, "What is asked for, see below")
      ->required()
      ->type_name("");
  command->add_option("ARGUMENTS", flags->arguments, "What the action is about")->type_name("");
  AddAdminFlags(command, &flags->access);
  command->add_flag("--json", flags->is_json, "Print the answer of the server, as JSON");
  command
      ->add_option(
          "--timeout", flags->timeout,
          "stop, start, put, delete, reload, shutdown: wait so long for the end, at most 10min")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_flag("--no-wait", flags->is_not_waiting, "The same: do not wait for the end");
  command->add_option("-n,--count", flags->count, "logs: so many records, the newest")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--follow", flags->follows, "logs: go on with records that come");
  command->add_option("-o,--output", flags->output, "bundle: the file to write")->type_name("FILE");
  command->footer(Footer);
}

/// Errors: Invalid, with what was meant.
Result<const Action*> FindAction(const CLI::App& command, const CtlFlags& flags) {
  const auto action = std::find_if(kActions.begin(), kActions.end(), [&flags](const Action& known) {
    return known.name == flags.action;
  });
  if (action == kActions.end()) {
    std::vector<std::string> names;
    for (const Action& known : kActions) {
      names.emplace_back(known.name);
    }
    const std::string nearest = NearestName(flags.action, names);
    return Status::Invalid(fmt::format("unknown action '{}'{}", PrintableText(flags.action),
                                       nearest.empty()
                                           ? "; 'df_engine ctl --help' lists them"
                                           : fmt::format("; did you mean '{}'?", nearest)));
  }
  if (flags.arguments.size() < action->min_arguments ||
      flags.arguments.size() > action->max_arguments) {
    return Status::Invalid(fmt::format("usage: df_engine ctl {}{}{}", action->name,
                                       action->arguments.empty() ? "" : " ", action->arguments));
  }
  for (const std::string flag :
       {"--json", "--timeout", "--no-wait", "--count", "--follow", "--output"}) {
    if (command.count(flag) > 0 &&
        (" " + std::string(action->flags) + " ").find(" " + flag + " ") == std::string::npos) {
      return Status::Invalid(fmt::format("{}: '{}' does not take it", flag, action->name));
    }
  }
  return &*action;
}

}  // namespace

int CtlCommand(int argc, char** argv) {
  CLI::App command("Asks things of a running engine, over its admin API.", kCommand);
  CtlFlags flags;
  AddFlags(&command, &flags);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto action = FindAction(command, flags);
  if (!action.ok()) {
    return FailControl(action.status());
  }
  auto access = ReadAdminFlags(flags.access, config::ProcessEnvironment());
  if (!access.ok()) {
    return FailControl(access.status());
  }
  return (*action)->run(AdminClient(*std::move(access)), flags);
}

}  // namespace df::app
