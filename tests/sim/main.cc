// Runs simulations from the command line: sim [--seeds N] [--seed S] [--shard I/N].
#include <cstdint>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/logging.h"
#include "nodes/registry.h"
#include "sim/simulation.h"

namespace {

struct Flags {
  uint64_t seed = 1;
  uint64_t num_seeds = 1000;
  std::string shard = "0/1";
  bool is_verbose = false;
};

/// Returns the exit code: 0, 1 when a seed fails, 2 for a wrong shard.
int Run(const Flags& flags) {
  uint64_t shard = 0;
  uint64_t num_shards = 1;
  if (std::sscanf(flags.shard.c_str(), "%lu/%lu", &shard, &num_shards) != 2 ||
      shard >= num_shards) {
    fmt::print(stderr, "--shard: found '{}', expected I/N with I < N\n", flags.shard);
    return 2;
  }
  const auto nodes = df::nodes::AllDescriptors();
  const std::vector<const df::engine::NodeDescriptor*> descriptors(nodes.begin(), nodes.end());
  int64_t num_run = 0;
  int64_t num_failed = 0;
  int64_t num_events = 0;
  int64_t num_batches = 0;
  int64_t num_acked = 0;
  int64_t num_forced = 0;
  for (uint64_t i = shard; i < flags.num_seeds; i += num_shards) {
    const df::sim::SimulationResult result = df::sim::Simulate(flags.seed + i, descriptors);
    ++num_run;
    num_events += result.num_events;
    num_batches += result.num_batches;
    num_acked += result.num_acked;
    num_forced += result.was_forced ? 1 : 0;
    num_failed += result.problems.empty() ? 0 : 1;
    if (!result.problems.empty() || flags.is_verbose) {
      fmt::print("{}", result.Explain());
    }
  }
  fmt::print(
      "{} seeds, {} failed; {} batches sent, {} of them acked; {} drains ended by force; "
      "{} events\n",
      num_run, num_failed, num_batches, num_acked, num_forced, num_events);
  return num_failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Runs pipelines drawn from seeds in simulated time and checks what must hold.");
  app.add_option("--seed", flags.seed, "the first seed")->capture_default_str();
  app.add_option("--seeds", flags.num_seeds, "how many")->capture_default_str();
  app.add_option("--shard", flags.shard, "I/N: every N-th of them, from the I-th")
      ->capture_default_str();
  app.add_flag("--verbose", flags.is_verbose, "prints every pipeline, not only those that fail");
  CLI11_PARSE(app, argc, argv);
  df::SetLogLevel(df::LogLevel::kError);
  return Run(flags);
}
