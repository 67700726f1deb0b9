#include "controller/run_result.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

namespace df::controller {
namespace {

engine::NodeReport Merge(const engine::CheckedNode& node, const engine::NodeShared* shared,
                         std::span<const int> indexes,
                         std::span<const engine::NodeReport> reports) {
  if (node.descriptor->merge_reports != nullptr) {
    try {
      return node.descriptor->merge_reports(shared, reports);
    } catch (const std::exception& error) {
      return {.lines = {fmt::format("no report: {}", error.what())}, .num_problems = 1};
    }
  }
  engine::NodeReport merged;
  for (size_t i = 0; i < reports.size(); ++i) {
    merged.num_problems += reports[i].num_problems;
    for (const std::string& line : reports[i].lines) {
      merged.lines.push_back(
          reports.size() == 1 ? line : fmt::format("instance {}: {}", indexes[i], line));
    }
  }
  return merged;
}

Result<engine::NodeSharedPtr> MakeSharedOf(const engine::CheckedNode& node, int num_cores) {
  if (node.descriptor->make_shared == nullptr) {
    return nullptr;
  }
  try {
    return node.descriptor->make_shared(*node.config, {.num_cores = num_cores});
  } catch (const std::exception& error) {
    return Status::UnknownError(error.what());
  }
}

}  // namespace

void ReportBook::Add(int index, std::vector<engine::NodeReport> reports) {
  if (reports.empty()) {
    return;  // its nodes were never made
  }
  const auto place =
      std::upper_bound(entries_.begin(), entries_.end(), index,
                       [](int value, const Entry& entry) { return value < entry.index; });
  entries_.insert(place, {index, std::move(reports)});
  if (entries_.size() > kMaxEntries) {
    num_forgotten_problems_.resize(entries_.front().reports.size());
    for (size_t i = 0; i < num_forgotten_problems_.size(); ++i) {
      num_forgotten_problems_[i] += entries_.front().reports[i].num_problems;
    }
    entries_.erase(entries_.begin());
  }
}

std::vector<NodeSummary> ReportBook::Summarize(
    const engine::CheckedPipeline& pipeline, std::span<const engine::NodeSharedPtr> shared) const {
  std::vector<NodeSummary> nodes;
  for (size_t i = 0; i < pipeline.nodes.size(); ++i) {
    const engine::CheckedNode& node = pipeline.nodes[i];
    std::vector<int> indexes;
    std::vector<engine::NodeReport> reports;
    for (const Entry& entry : entries_) {
      indexes.push_back(entry.index);
      reports.push_back(entry.reports[i]);
    }
    const engine::NodeShared* node_shared = i < shared.size() ? shared[i].get() : nullptr;
    NodeSummary summary{node.name, std::string(node.descriptor->urn),
                        Merge(node, node_shared, indexes, reports)};
    if (!num_forgotten_problems_.empty()) {
      summary.report.num_problems += num_forgotten_problems_[i];
    }
    nodes.push_back(std::move(summary));
  }
  return nodes;
}

Status MakeShared(Configuration* configuration) {
  const engine::CheckedPipeline& pipeline = configuration->plan->pipeline;
  std::vector<engine::NodeSharedPtr> shared;
  for (const engine::CheckedNode& node : pipeline.nodes) {
    auto made = MakeSharedOf(node, static_cast<int>(pipeline.cores.size()));
    if (!made.ok()) {
      return made.status().WithMessage(
          fmt::format("node '{}': {}", node.name, made.status().message()));
    }
    shared.push_back(std::move(made).ValueUnsafe());
  }
  configuration->shared = std::move(shared);
  return Status::OK();
}

}  // namespace df::controller
