// scenarios [--factor F] [--seed N] [--engine FILE] [--sanitized FILE] [ID..]: runs the acceptance
// scenarios, or those named, and prints a row for each.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include <CLI/CLI.hpp>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "scenarios/scenario.h"

namespace df::scenarios {
namespace {

constexpr size_t kShownFaults = 8;

std::vector<Scenario> All() {
  std::vector<Scenario> all;
  for (auto part : {RoundTrips, OddTrees, Following, Questions, Faults, Scale}) {
    for (Scenario& scenario : part()) {
      all.push_back(std::move(scenario));
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Scenario& one, const Scenario& other) { return one.id < other.id; });
  return all;
}

/// Runs one and prints its row. Returns whether it holds.
bool RunOne(const Scenario& scenario, const Settings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  Trial trial(settings);
  try {
    scenario.run(trial);
  } catch (const std::exception& error) {
    trial.Expect(false, error.what());
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("{} {:<5} {:6.1f} s  {}: {}\n", scenario.id,
             trial.faults().empty() ? "holds" : "FAILS", seconds, scenario.title,
             fmt::join(trial.figures(), "; "));
  for (const std::string& what : trial.not_tried()) {
    fmt::print("     not tried: {}\n", what);
  }
  for (size_t i = 0; i < std::min(trial.faults().size(), kShownFaults); ++i) {
    fmt::print("     {}\n", trial.faults()[i]);
  }
  if (trial.faults().size() > kShownFaults) {
    fmt::print("     and {} more\n", trial.faults().size() - kShownFaults);
  }
  std::fflush(stdout);
  return trial.faults().empty();
}

int Main(int argc, char** argv) {
  Settings settings{.engine = DF_ENGINE_PATH, .sanitized = DF_ENGINE_PATH};
  std::vector<std::string> wanted;
  CLI::App app("Runs the acceptance scenarios");
  app.add_option("--factor", settings.factor, "Of the sizes that the scenarios name")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", settings.seed, "Of what is random");
  app.add_option("--engine", settings.engine, "The program that is tried")
      ->check(CLI::ExistingFile);
  app.add_option("--sanitized", settings.sanitized,
                 "The program, with sanitizers, for damaged files")
      ->check(CLI::ExistingFile);
  app.add_option("id", wanted, "Those that are wanted, like S-04; default: all");
  CLI11_PARSE(app, argc, argv);
  // The program runs in folders of its own.
  settings.engine = std::filesystem::absolute(settings.engine);
  settings.sanitized = std::filesystem::absolute(settings.sanitized);
  if (const arrow::Status status = arrow::compute::Initialize(); !status.ok()) {
    fmt::print(stderr, "{}\n", status.ToString());
    return EXIT_FAILURE;
  }
  fmt::print("factor {}, seed {}, {} cores, {}\n", settings.factor, settings.seed,
             std::thread::hardware_concurrency(), settings.engine);
  int num_run = 0;
  int num_holding = 0;
  for (const Scenario& scenario : All()) {
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), scenario.id) != wanted.end()) {
      ++num_run;
      num_holding += RunOne(scenario, settings) ? 1 : 0;
    }
  }
  fmt::print("{} of {} scenarios hold\n", num_holding, num_run);
  return num_run > 0 && num_holding == num_run ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace df::scenarios

int main(int argc, char** argv) { return df::scenarios::Main(argc, argv); }
