#include "app/summary.h"

#include <csignal>

#include <fmt/format.h>

#include "app/command.h"

namespace df::app {
namespace {

std::string HowItEnded(const controller::RunResult& result) {
  switch (result.outcome) {
    case controller::Outcome::kFailed:
      return "failed";
    case controller::Outcome::kForced:
      return fmt::format("ended by force, {} batches without an outcome", result.num_abandoned);
    case controller::Outcome::kClean:
      break;
  }
  if (result.signal.has_value()) {
    return fmt::format("stopped by {}", *result.signal == SIGINT ? "SIGINT" : "SIGTERM");
  }
  return "finished";
}

}  // namespace

std::string FormatSummary(const std::string& pipeline, const controller::RunResult& result) {
  std::string text = fmt::format("pipeline {}: {} after {:.3f} s\n", pipeline, HowItEnded(result),
                                 std::chrono::duration<double>(result.elapsed).count());
  for (const std::string& error : result.errors) {
    text += fmt::format("  error: {}\n", error);
  }
  for (const controller::NodeSummary& node : result.nodes) {
    if (node.report.lines.empty() && node.report.num_problems == 0) {
      continue;
    }
    text += fmt::format("  {} ({})\n", node.name, node.urn);
    for (const std::string& line : node.report.lines) {
      text += fmt::format("    {}\n", line);
    }
    if (node.report.num_problems > 0) {
      text += fmt::format("    problems: {}\n", node.report.num_problems);
    }
  }
  return text;
}

int ExitCode(const controller::RunResult& result, bool is_strict) {
  switch (result.outcome) {
    case controller::Outcome::kFailed:
      return kExitFailed;
    case controller::Outcome::kForced:
      return kExitForced;
    case controller::Outcome::kClean:
      break;
  }
  for (const controller::NodeSummary& node : result.nodes) {
    if (is_strict && node.report.num_problems > 0) {
      return kExitFailed;
    }
  }
  return kExitClean;
}

}  // namespace df::app
