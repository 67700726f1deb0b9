#include "app/delivery_text.h"

#include <csignal>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/commands/archive_flags.h"
#include "app/commands/signal_names.h"
#include "app/receipt.h"
#include "engine/account.h"

namespace df::app {
namespace {

/// Problems that are named one by one.
constexpr size_t kMostNamed = 20;

std::string ItemsOf(const engine::SourceAccount& source, int64_t engine::SignalAccount::* member) {
  std::vector<std::string> parts;
  for (const engine::SignalAccount& signal : source.signals) {
    parts.push_back(fmt::format("{} {}", ShowCount(signal.*member), ItemsName(signal.signal)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

int64_t SumOf(const engine::SourceAccount& source, int64_t engine::SignalAccount::* member) {
  int64_t sum = 0;
  for (const engine::SignalAccount& signal : source.signals) {
    sum += signal.*member;
  }
  return sum;
}

/// Records that are known, wanted as far as is known, and were never sent.
int64_t UnsentOf(const engine::SourceAccount& source) {
  int64_t sum = 0;
  for (const engine::SignalAccount& signal : source.signals) {
    sum += signal.listed - signal.selected_out - signal.sent;
  }
  return sum;
}

std::string DeliveredText(const engine::SourceAccount& source) {
  std::string text = "delivered " + ItemsOf(source, &engine::SignalAccount::items_delivered);
  text +=
      fmt::format("; {} refused", ShowCount(SumOf(source, &engine::SignalAccount::items_refused)));
  if (const int64_t letters = SumOf(source, &engine::SignalAccount::items_dead_letters);
      letters > 0) {
    text += fmt::format(" ({} of them among the dead letters)", ShowCount(letters));
  }
  if (const int64_t in_flight = SumOf(source, &engine::SignalAccount::items_in_flight);
      in_flight > 0) {
    text += fmt::format(", {} without an outcome", ShowCount(in_flight));
  }
  text += fmt::format(", {} records not sent\n", ShowCount(UnsentOf(source)));
  for (const engine::NamedCount& notice : source.notices) {
    text += notice.kind == "pace" ? fmt::format("pace: {}\n", notice.message) : "";
  }
  return text;
}

std::string SourceText(const std::string& command, const engine::SourceAccount& source,
                       bool is_quiet) {
  if (source.has_found_nothing) {
    return fmt::format("{}: nothing found to replay in '{}'\n", command, source.base);
  }
  std::string text = is_quiet ? "" : DeliveredText(source);
  size_t num_named = 0;
  for (const engine::NamedCount& problem : source.problems) {
    if (num_named++ < kMostNamed) {
      text += fmt::format("{}: incomplete: {}: {}{}\n", command, problem.kind, problem.message,
                          problem.count > 1 ? fmt::format(" ({} times)", problem.count) : "");
    }
  }
  if (num_named > kMostNamed) {
    text += fmt::format("{}: incomplete: {} more problems, named in the receipt\n", command,
                        num_named - kMostNamed);
  }
  return text;
}

/// Lines of nodes that have problems; those of sources are told above.
std::string NodesText(const std::string& command, const controller::PipelineSummary& pipeline) {
  std::string text;
  for (const controller::NodeSummary& node : pipeline.nodes) {
    if (node.report.num_problems == 0) {
      continue;
    }
    for (const std::string& line : node.report.lines) {
      const bool is_told = node.report.source != nullptr && !line.starts_with("not delivered");
      text += is_told ? "" : fmt::format("{}: incomplete: {}: {}\n", command, node.name, line);
    }
  }
  return text;
}

}  // namespace

std::string FormatDelivery(const std::string& command, const controller::RunResult& result,
                           bool is_quiet) {
  std::string text;
  for (const controller::PipelineSummary& pipeline : result.pipelines) {
    for (const std::string& error : pipeline.errors) {
      text += fmt::format("{}: failed: {}\n", command, error);
    }
    for (const controller::NodeSummary& node : pipeline.nodes) {
      if (node.report.source != nullptr) {
        text += SourceText(command, *node.report.source, is_quiet);
      }
    }
    text += NodesText(command, pipeline);
    if (pipeline.num_abandoned > 0) {
      text += fmt::format("{}: ended by force, {} batches without an outcome\n", command,
                          pipeline.num_abandoned);
    }
  }
  if (result.signal.has_value() && !is_quiet) {
    text += fmt::format("{}: stopped by {}\n", command,
                        *result.signal == SIGINT ? "SIGINT" : "SIGTERM");
  }
  for (const std::string& line : BrokenSumsOf(result)) {
    text += fmt::format("{}: defect of the program: {}\n", command, line);
  }
  return text;
}

}  // namespace df::app
