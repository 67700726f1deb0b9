#include "nodes/receivers/parquet/replay.h"

#include <algorithm>
#include <utility>

#include <arrow/filesystem/localfs.h>
#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "engine/account.h"
#include "nodes/receivers/parquet/wrong_folder.h"

namespace df::nodes::receivers::parquet {

Replay::Replay(ParquetReceiverConfig config, std::string base)
    : config_(std::move(config)),
      base_(std::move(base)),
      file_system_(std::make_shared<arrow::fs::LocalFileSystem>()),
      work_list_(file_system_, base_, MakeReadOptions(config_), MakeFollowOptions(config_),
                 [] { return std::chrono::system_clock::now(); }) {}

void Replay::LogNewProblems() {
  const lake::ReadReport report = work_list_.Report();
  const std::lock_guard lock(mutex_);
  for (const lake::Problem& problem : report.problems) {
    if (logged_.insert(problem.message).second) {
      LogWarning("parquet receiver: {}: {}", Name(problem.kind), problem.message);
    }
  }
  for (const lake::Problem& notice : report.notices) {
    if (logged_.insert(notice.message).second) {
      LogInfo("parquet receiver: notice: {}", notice.message);
    }
  }
  if (work_list_.has_listed() && !work_list_.has_found_files() &&
      !std::exchange(has_logged_empty_base_, true)) {
    LogWarning("parquet receiver: {}", DescribeEmptyBase(base_, config_.signal_types));
  }
}

lake::ErrorCounts Replay::TakeNewErrors() {
  const lake::ReadReport report = work_list_.Report();
  const std::lock_guard lock(mutex_);
  lake::ErrorCounts added = report.errors;
  for (size_t kind = 0; kind < added.size(); ++kind) {
    // A file that was read after all takes its error back; a counter only rises.
    added[kind] = std::max<int64_t>(added[kind] - num_counted_[kind], 0);
    num_counted_[kind] += added[kind];
  }
  return added;
}

engine::NodeReport DescribeReplay(const Replay& replay) {
  const lake::ReadReport report = replay.work_list().Report();
  engine::NodeReport lines;
  auto rows = [&](otap::TableKind kind) { return report.table(kind).rows_emitted; };
  const int64_t points =
      rows(otap::TableKind::kNumberDataPoints) + rows(otap::TableKind::kSummaryDataPoints) +
      rows(otap::TableKind::kHistogramDataPoints) + rows(otap::TableKind::kExpHistogramDataPoints);
  lines.lines.push_back(
      fmt::format("replayed {} log records, {} spans, {} metrics with {} data points",
                  rows(otap::TableKind::kLogs), rows(otap::TableKind::kSpans),
                  rows(otap::TableKind::kUnivariateMetrics), points));
  lines.lines.push_back(fmt::format("from {} files in {} partitions, as {} batches",
                                    report.files_replayed, report.partitions, report.payloads));
  for (const otap::TableInfo& table : otap::AllTables()) {
    const lake::TableCounts& counts = report.table(table.kind);
    for (size_t reason = 0; reason < counts.rows_dropped.size(); ++reason) {
      if (counts.rows_dropped[reason] > 0) {
        lines.lines.push_back(fmt::format("dropped {} rows of {}: {}", counts.rows_dropped[reason],
                                          table.directory, lake::kDropReasonNames[reason]));
        lines.num_problems += counts.rows_dropped[reason];
      }
    }
  }
  if (report.repaired_columns > 0) {
    lines.lines.push_back(fmt::format("repaired {} id columns of the known upstream defect",
                                      report.repaired_columns));
  }
  if (report.slices_decoded_again > 0) {
    lines.lines.push_back(
        fmt::format("decoded {} slices again: the order of rows does not fit memory_limit",
                    report.slices_decoded_again));
  }
  if (const int64_t held = replay.work_list().num_held_back(); held > 0) {
    lines.lines.push_back(
        fmt::format("held back {} files: too young, or child files may be missing", held));
    lines.num_problems += held;
  }
  if (const int64_t left = replay.work_list().num_waiting(); left > 0) {
    lines.lines.push_back(fmt::format("stopped before {} partitions", left));
    lines.num_problems += left;
  }
  const int64_t lost = replay.work_list().num_lost();
  if (const int64_t stopped = replay.work_list().num_returned() - lost; stopped > 0) {
    lines.lines.push_back(fmt::format("stopped in the middle of {} partitions", stopped));
    lines.num_problems += stopped;
  }
  if (lost > 0) {
    lines.lines.push_back(
        fmt::format("not delivered whole: {} partitions that a failed node had under way", lost));
    lines.num_problems += lost;
  }
  for (const std::string& absent : replay.work_list().AbsentTables()) {
    lines.lines.push_back("notice: " + absent);
  }
  for (const lake::Problem& notice : report.notices) {
    lines.lines.push_back(fmt::format("notice: {}", notice.message));
  }
  for (const lake::Problem& problem : report.problems) {
    lines.lines.push_back(
        fmt::format("not replayed: {}: {}{}", Name(problem.kind), problem.message,
                    problem.count > 1 ? fmt::format(" (x{})", problem.count) : ""));
  }
  lines.num_problems += report.num_errors();
  auto source = std::make_shared<engine::SourceAccount>();
  if (!replay.work_list().has_found_files() && replay.work_list().has_listed()) {
    lines.lines.push_back(DescribeEmptyBase(replay.base(), replay.config().signal_types));
    source->has_found_nothing = !replay.config().polling_interval.interval.has_value();
  }
  lines.source = std::move(source);
  return lines;
}

}  // namespace df::nodes::receivers::parquet
