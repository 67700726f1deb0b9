#include "app/summary.h"

#include <algorithm>
#include <csignal>
#include <span>

#include <fmt/format.h>

#include "app/commands/exit_codes.h"
#include "app/receipt.h"
#include "engine/account.h"

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

/// Calls `visit` with the report of every node of every configuration.
template <typename Visit>
void VisitReports(const controller::RunResult& result, Visit visit) {
  for (const controller::PipelineSummary& pipeline : result.pipelines) {
    for (const controller::NodeSummary& node : pipeline.nodes) {
      visit(node.report);
    }
    for (const std::vector<controller::NodeSummary>& earlier : pipeline.earlier) {
      for (const controller::NodeSummary& node : earlier) {
        visit(node.report);
      }
    }
  }
}

int64_t NumProblems(const controller::RunResult& result) {
  int64_t sum = 0;
  VisitReports(result, [&](const engine::NodeReport& report) { sum += report.num_problems; });
  return sum;
}

bool HasFoundNothing(const controller::RunResult& result) {
  bool has_found_nothing = false;
  VisitReports(result, [&](const engine::NodeReport& report) {
    has_found_nothing |= report.source != nullptr && report.source->has_found_nothing;
  });
  return has_found_nothing;
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
  if (const int64_t problems = NumProblems(result); problems > 0) {
    text += fmt::format("incomplete: {} problems, named above\n", problems);
  }
  for (const std::string& line : BrokenSumsOf(result)) {
    text += fmt::format("defect of the program: {}\n", line);
  }
  return text;
}

int ExitCode(const controller::RunResult& result, bool allows_incomplete) {
  switch (result.outcome) {
    case controller::Outcome::kFailed:
      return kExitFailed;
    case controller::Outcome::kForced:
      return kExitForced;
    case controller::Outcome::kClean:
      break;
  }
  if (!BrokenSumsOf(result).empty()) {
    return kExitFailed;
  }
  if (!allows_incomplete && NumProblems(result) > 0) {
    return kExitIncomplete;
  }
  return HasFoundNothing(result) ? kExitNothingFound : kExitClean;
}

bool HasSentNothing(const controller::RunResult& result) {
  bool has_source = false;
  int64_t num_sent = 0;
  VisitReports(result, [&](const engine::NodeReport& report) {
    if (report.source != nullptr) {
      has_source = true;
      for (const engine::SignalAccount& signal : report.source->signals) {
        num_sent += signal.sent;
      }
    }
  });
  return has_source && num_sent == 0;
}

}  // namespace df::app
