#include "app/commands/generate_command.h"

#include <array>
#include <csignal>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/commands/pipeline_flags.h"
#include "app/commands/pipeline_text.h"
#include "config/environment.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

int GenerateCommand(int argc, char** argv) {
  PipelineFlags flags{.command = "df_engine generate"};
  CLI::App command("Makes up telemetry and sends it, for trials and tests.", flags.command);
  int64_t count = 0;
  int64_t rate = 0;
  int64_t seed = 1;
  std::string service = "load-generator";
  command.add_option("--to", flags.destination.to, kToHelp)->required()->type_name("PLACE");
  command.add_option("--signal", flags.signals, "logs, spans or points; may be given again")
      ->allow_extra_args(false)
      ->type_name("SIGNAL");
  command
      .add_option("-n,--count", count,
                  "Log records, spans and metrics together; default: until stopped")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000'000}).description(""))
      ->type_name("N");
  command
      .add_option("--rate", rate,
                  "Log records, spans and metrics a second; default: as fast as they are taken")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}).description(""))
      ->type_name("N");
  command.add_option("--seed", seed, "The same seed makes the same items, but for their times")
      ->check(CLI::Range(int64_t{0}, INT64_MAX).description(""))
      ->type_name("N");
  command.add_option("--service", service, "Name of the service")->type_name("NAME");
  command.add_option("--threads", flags.archive.num_threads, "Cores to use; default: all")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  command.add_flag("-q,--quiet", flags.archive.is_quiet, "Print errors only");
  AddRunFlags(&command, &flags);
  AddServerFlags(&command, &flags.destination);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const auto destination = ParseDestination(flags.destination);
  if (!destination.ok()) {
    return FailCommand(flags.command, destination.status());
  }
  auto signals = ParseSignals(flags.signals);
  if (!signals.ok()) {
    return FailCommand(flags.command, signals.status());
  }
  if (signals->empty()) {
    signals->assign(otap::kAllSignals.begin(), otap::kAllSignals.end());
  }
  constexpr std::array kWeights = {"log_weight", "trace_weight", "metric_weight"};
  Json traffic = {{"signals_per_second", rate > 0 ? Json(rate) : Json()}};
  for (const otap::Signal signal : *signals) {
    traffic[kWeights[static_cast<size_t>(signal)]] = 1;
  }
  if (count > 0) {
    traffic["max_signal_count"] = count;
  }
  const Json config = {
      {"seed", seed},
      {"resource_attributes", {{"service.name", config::EscapeReferences(service)}}},
      {"traffic_config", std::move(traffic)}};
  RunFlags run = RunFlagsOf(flags, *destination);
  if (destination->is_stdout) {
    std::signal(SIGPIPE, SIG_DFL);
  }
  run.answer =
      flags.archive.is_quiet || destination->is_stdout ? RunAnswer::kProblems : RunAnswer::kSummary;
  run.document.source = PipelineSource(
      {"receiver:traffic_generator", config.dump(-1, ' ', false, Json::error_handler_t::replace)},
      {destination->node, destination->config},
      destination->is_network && destination->folder.empty());
  return RunDocument(std::move(run));
}

}  // namespace df::app
