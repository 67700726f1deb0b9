#include "app/commands/validate_command.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "admin/status_json.h"
#include "app/commands/archive_flags.h"
#include "app/commands/environment_report.h"
#include "app/commands/exit_codes.h"
#include "app/commands/run_command.h"
#include "app/standard_output.h"
#include "base/text.h"
#include "nodes/environments.h"
#include "runtime/clock.h"

namespace df::app {
namespace {

using admin::Json;

struct ValidateFlags {
  RunFlags run;
  bool asks_environment = false;
  bool is_json = false;
  std::string timeout = "5s";
};

/// Adds the place and the reason of something that is wrong.
Json ToJson(const admin::RequestProblem& problem) {
  Json json;
  if (problem.line.has_value()) {
    json["line"] = *problem.line;
    json["column"] = problem.column.value_or(1);
  }
  json["path"] = problem.path;
  json["message"] = problem.message;
  return json;
}

Json ToJson(const engine::EnvironmentCheck& check, const engine::Finding& finding) {
  Json json = {{"result", Name(finding.verdict)}, {"check", check.kind}, {"of", check.subject}};
  if (check.mark.source == 0) {
    json["line"] = check.mark.line;
    json["column"] = check.mark.column;
  }
  json["path"] = check.path;
  json["message"] = finding.message;
  return json;
}

/// Bytes that are no UTF-8 become U+FFFD: a name of a file must not cost the answer.
std::string Line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json AnswerOf(const ValidateFlags& flags, bool is_valid) {
  Json problems = Json::array();
  return {{"document", flags.run.document.source}, {"valid", is_valid}, {"problems", problems}};
}

int AnswerInvalid(const ValidateFlags& flags, const Status& status) {
  Json answer = AnswerOf(flags, false);
  for (const admin::RequestProblem& problem : admin::SplitProblems(status.message())) {
    answer["problems"].push_back(ToJson(problem));
  }
  const int printed = PrintAnswer(Line(answer));
  return printed == kExitClean ? kExitUsage : printed;
}

int AnswerValid(const ValidateFlags& flags, const engine::CheckConditions& conditions,
                const engine::CheckedEngine& engine) {
  const std::string& document = flags.run.document.source;
  engine::EnvironmentChecks checks;
  if (flags.asks_environment) {
    checks = ChecksOf(engine, nodes::AllEnvironments());
  }
  const CheckedEnvironment checked = RunChecks(checks, conditions);
  const std::vector<engine::Finding>& findings = checked.findings;
  const VerdictCounts counts = CountVerdicts(findings);
  std::string text;
  if (flags.is_json) {
    Json answer = AnswerOf(flags, true);
    answer["pipelines"] = engine.pipelines.size();
    answer["nodes"] = CountNodes(engine);
    answer["notices"] = engine.notices;
    if (flags.asks_environment) {
      answer["environment"] = Json::array();
      for (size_t at = 0; at < checks.size(); ++at) {
        answer["environment"].push_back(ToJson(checks[at], findings[at]));
      }
    }
    text = Line(answer);
  } else {
    text = DescribeFindings(document, checks, findings) + DescribeValid(document, engine);
    if (flags.asks_environment) {
      text.pop_back();
      text += fmt::format("; environment: {} ok, {} warn, {} fail\n", counts.ok, counts.warn,
                          counts.fail);
    }
  }
  const int printed = PrintAnswer(text);
  const int code = printed == kExitClean && counts.fail > 0 ? kExitUsage : printed;
  if (checked.has_left_behind) {
    std::fflush(nullptr);
    std::_Exit(code);  // nothing that the thread uses may go before it does
  }
  return code;
}

}  // namespace

int ValidateCommand(int argc, char** argv) {
  CLI::App command(
      "Checks a document. With --env also what it needs of this machine and the network; nothing "
      "is changed.",
      "df_engine validate");
  ValidateFlags flags;
  AddDocumentFlags(&command, &flags.run.document);
  command.add_flag("--env", flags.asks_environment,
                   "Check folders, ports, certificates, servers and object stores as well");
  command
      .add_option("--timeout", flags.timeout, "Longest time for each check that asks the network")
      ->capture_default_str()
      ->type_name("DURATION");
  command.add_flag("--json", flags.is_json, "Print JSON (docs/commands.md)");
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  engine::CheckConditions conditions{.now = runtime::SystemClock().WallNow()};
  const auto timeout = ParseDuration(flags.timeout);
  if (!timeout.ok() || timeout->count() <= 0) {
    return FailCommand(
        "df_engine validate",
        Status::Invalid(fmt::format("--timeout: found '{}', expected a duration like 5s",
                                    PrintableText(flags.timeout))));
  }
  conditions.timeout = *timeout;
  RunFlags run = flags.run;
  run.on_valid = [&flags, &conditions](const engine::CheckedEngine& engine) {
    return AnswerValid(flags, conditions, engine);
  };
  if (flags.is_json) {
    run.on_invalid = [&flags](const Status& status) { return AnswerInvalid(flags, status); };
  }
  return RunDocument(std::move(run));
}

}  // namespace df::app
