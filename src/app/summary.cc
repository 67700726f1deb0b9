#include "app/summary.h"

#include <algorithm>
#include <csignal>
#include <span>

#include <fmt/format.h>

#include "app/command.h"

namespace df::app {
namespace {

std::string HowItEnded(const controller::PipelineSummary& pipeline,
                       const controller::RunResult& result) {
  switch (pipeline.outcome) {
    case controller::Outcome::kFailed:
      return "failed";
    case controller::Outcome::kForced:
      return fmt::format("ended by force, {} batches without an outcome", pipeline.num_abandoned);
    case controller::Outcome::kClean:
      break;
  }
  if (result.signal.has_value()) {
    return fmt::format("stopped by {}", *result.signal == SIGINT ? "SIGINT" : "SIGTERM");
  }
  return result.reason.empty() ? "finished" : fmt::format("stopped: {}", result.reason);
}

std::string FormatLeft(const controller::LeftOnCore& left) {
  const engine::EdgeLeft& edge = left.edge;
  std::string text = fmt::format("  left at '{}' on core {}:", edge.node, left.core);
  text += fmt::format(" {} batches waiting ({} items, {} bytes)", edge.num_batches, edge.num_items,
                      edge.size_bytes);
  text += fmt::format(", {} senders waiting, {} in the node, {} of its own without an outcome\n",
                      edge.num_senders, edge.num_in_node, edge.num_unanswered);
  return text;
}

std::string FormatNodes(std::span<const controller::NodeSummary> nodes) {
  std::string text;
  for (const controller::NodeSummary& node : nodes) {
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

std::string FormatPipeline(const std::string& name, const controller::PipelineSummary& pipeline,
                           const controller::RunResult& result) {
  std::string text =
      fmt::format("pipeline {}: {} after {:.3f} s\n", name, HowItEnded(pipeline, result),
                  std::chrono::duration<double>(result.elapsed).count());
  for (const std::string& error : pipeline.errors) {
    text += fmt::format("  error: {}\n", error);
  }
  if (pipeline.num_restarts > 0) {
    text += fmt::format("  started again {} times\n", pipeline.num_restarts);
    for (const std::string& error : pipeline.recovered) {
      text += fmt::format("    after: {}\n", error);
    }
  }
  for (const controller::LeftOnCore& left : pipeline.left) {
    text += FormatLeft(left);
  }
  for (const std::vector<controller::NodeSummary>& earlier : pipeline.earlier) {
    const std::string nodes = FormatNodes(earlier);
    text += nodes.empty() ? "" : "  with an earlier configuration:\n" + nodes;
  }
  return text + FormatNodes(pipeline.nodes);
}

bool HasProblems(const controller::PipelineSummary& pipeline) {
  const auto has_problems = [](const std::vector<controller::NodeSummary>& nodes) {
    return std::any_of(nodes.begin(), nodes.end(), [](const controller::NodeSummary& node) {
      return node.report.num_problems > 0;
    });
  };
  return has_problems(pipeline.nodes) ||
         std::any_of(pipeline.earlier.begin(), pipeline.earlier.end(), has_problems);
}

}  // namespace

std::string FormatSummary(const std::string& source, const controller::RunResult& result) {
  std::string text;
  for (const controller::PipelineSummary& pipeline : result.pipelines) {
    const std::string name = result.pipelines.size() == 1
                                 ? source
                                 : fmt::format("{}:{}", pipeline.key.group, pipeline.key.pipeline);
    text += FormatPipeline(name, pipeline, result);
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
  const bool has_problems =
      std::any_of(result.pipelines.begin(), result.pipelines.end(), HasProblems);
  return is_strict && has_problems ? kExitFailed : kExitClean;
}

}  // namespace df::app
