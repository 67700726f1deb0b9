#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <arrow/compute/initialize.h>

#include "app/command.h"
#include "app/summary.h"
#include "base/logging.h"
#include "controller/controller.h"
#include "engine/graph.h"
#include "nodes/registry.h"
#include "runtime/cores.h"

namespace df::app {
namespace {

struct Flags {
  std::string pipeline;
  int num_cores = 0;
  std::string core_ids;
  bool is_strict = false;
  bool validates_only = false;
  bool prints_metrics = false;
  std::string log_level = "info";
};

LogLevel ToLogLevel(std::string_view name) {
  if (name == "debug") {
    return LogLevel::kDebug;
  }
  if (name == "warning") {
    return LogLevel::kWarning;
  }
  return name == "error" ? LogLevel::kError : LogLevel::kInfo;
}

std::string Footer() {
  std::string text = "Nodes:\n";
  for (const engine::NodeDescriptor* descriptor : nodes::AllDescriptors()) {
    text += fmt::format("  {:<34} {}\n", descriptor->urn, descriptor->summary);
  }
  text +=
      "\nExit codes: 0 clean, 1 failed, 2 usage or configuration, 3 ended by force.\n"
      "SIGINT or SIGTERM drains the pipeline; a second one ends it at once.";
  return text;
}

void AddFlags(CLI::App* app, Flags* flags) {
  app->add_option("-p,--pipeline,-c", flags->pipeline, "Pipeline file (YAML or JSON)")
      ->required()
      ->type_name("FILE");
  CLI::Option* num_cores =
      app->add_option("--num-cores", flags->num_cores,
                      "Instances of the pipeline, one a core; 0 = every core the process may use")
          ->type_name("N")
          ->check(CLI::Range(0, 4096).description(""))
          ->capture_default_str();
  app->add_option("--core-id-range", flags->core_ids,
                  "Cores to run on, one instance each: ids and ranges like 0-3,6")
      ->excludes(num_cores)
      ->type_name("IDS");
  app->add_flag("--strict", flags->is_strict,
                "Exit with 1 when anything was left out, though everything else went well");
  app->add_flag("--validate-and-exit", flags->validates_only,
                "Check the pipeline file and exit; starts and opens nothing");
  app->add_flag("--metrics", flags->prints_metrics, "Print every counter at the end");
  app->add_option("--log-level", flags->log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL")
      ->capture_default_str();
  app->set_version_flag("--version", "df_engine " DF_ENGINE_VERSION);
  app->footer(Footer);
}

Result<std::vector<int>> ChooseCores(const Flags& flags) {
  const std::vector<int> allowed = runtime::AllowedCores();
  if (!flags.core_ids.empty()) {
    ARROW_ASSIGN_OR_RAISE(std::vector<int> cores, runtime::ParseCoreIds(flags.core_ids));
    for (const int core : cores) {
      if (std::find(allowed.begin(), allowed.end(), core) == allowed.end()) {
        return Status::Invalid(
            fmt::format("--core-id-range: core {} cannot be used, expected some of {}", core,
                        fmt::join(allowed, ",")));
      }
    }
    return cores;
  }
  if (flags.num_cores == 0) {
    return allowed;
  }
  if (static_cast<size_t>(flags.num_cores) > allowed.size()) {
    return Status::Invalid(fmt::format("--num-cores: found {}, but the process may use {} cores",
                                       flags.num_cores, allowed.size()));
  }
  return std::vector<int>(allowed.begin(), allowed.begin() + flags.num_cores);
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Status::IOError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  }
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) {
    return Status::IOError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  return text;
}

Result<engine::CheckedPipeline> Load(const Flags& flags, int num_cores) {
  ARROW_ASSIGN_OR_RAISE(const std::string text, ReadFile(flags.pipeline));
  return engine::LoadPipeline(text, flags.pipeline, engine::NodeRegistry(nodes::AllDescriptors()),
                              {.num_cores = num_cores});
}

int Fail(const Status& status, int exit_code) {
  fmt::print(stderr, "{}\n", status.message());
  return exit_code;
}

[[noreturn]] void EndByForce(const std::string& why) {
  LogError("ended by force: {}", why);
  std::fflush(nullptr);
  std::_Exit(kExitForced);
}

int Run(const Flags& flags) {
  SetLogLevel(ToLogLevel(flags.log_level));
  const Result<std::vector<int>> cores = ChooseCores(flags);
  if (!cores.ok()) {
    return Fail(cores.status(), kExitUsage);
  }
  const auto pipeline = Load(flags, static_cast<int>(cores->size()));
  if (!pipeline.ok()) {
    return Fail(pipeline.status(), kExitUsage);
  }
  if (flags.validates_only) {
    fmt::print("{}: valid, {} nodes\n", flags.pipeline, pipeline->nodes.size());
    return kExitClean;
  }
  if (const Status status = arrow::compute::Initialize(); !status.ok()) {
    return Fail(status, kExitFailed);
  }
  const auto result = controller::RunPipeline(*pipeline, {.cores = *cores, .on_force = EndByForce});
  if (!result.ok()) {
    return Fail(result.status(), kExitFailed);
  }
  fmt::print("{}", FormatSummary(flags.pipeline, *result));
  if (flags.prints_metrics) {
    fmt::print("{}\n", result->metrics);
  }
  return ExitCode(*result, flags.is_strict);
}

}  // namespace

int RunCommand(int argc, char** argv) {
  CLI::App app("Replays and moves OpenTelemetry data through pipelines.", "df_engine");
  Flags flags;
  AddFlags(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitClean : kExitUsage;
  }
  return Run(flags);
}

}  // namespace df::app
