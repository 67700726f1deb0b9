#include "nodes/processors/debug/batch_counts.h"

#include <fmt/format.h>

namespace df::nodes::processors::debug {
namespace {

using otap::Signal;
using otap::TableInfo;
using otap::TableKind;

/// What the rows of a table are called; tables of the same name are counted together.
std::string_view RowName(const TableInfo& table) {
  if (table.kind == TableKind::kResourceAttrs) {
    return "resource attributes";
  }
  if (table.kind == TableKind::kScopeAttrs) {
    return "scope attributes";
  }
  if (table.is_attributes) {
    return "attributes";
  }
  switch (table.kind) {
    case TableKind::kLogs:
      return "log records";
    case TableKind::kSpans:
      return "spans";
    case TableKind::kSpanEvents:
      return "events";
    case TableKind::kSpanLinks:
      return "links";
    case TableKind::kUnivariateMetrics:
    case TableKind::kMultivariateMetrics:
      return "metrics";
    case TableKind::kNumberDataPoints:
    case TableKind::kSummaryDataPoints:
    case TableKind::kHistogramDataPoints:
    case TableKind::kExpHistogramDataPoints:
      return "data points";
    default:
      return "exemplars";
  }
}

}  // namespace

void BatchCounts::Add(const otap::Batch& batch) {
  ++batches;
  items += batch.num_items();
  for (const TableInfo& table : otap::AllTables()) {
    if (batch.table(table.kind) != nullptr) {
      rows[otap::TableIndex(table.kind)] += batch.table(table.kind)->num_rows();
    }
  }
}

BatchCounts& BatchCounts::operator+=(const BatchCounts& other) {
  batches += other.batches;
  items += other.items;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] += other.rows[i];
  }
  return *this;
}

std::string BatchCounts::Describe(Signal signal) const {
  std::string text;
  const auto append = [&](std::string_view name) {
    int64_t sum = 0;
    for (const TableInfo& table : otap::AllTables()) {
      if (RowName(table) == name) {
        sum += rows[otap::TableIndex(table.kind)];
      }
    }
    const bool is_item = name == "log records" || name == "spans" || name == "data points";
    if (sum != 0 || is_item) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", sum, name);
    }
  };
  switch (signal) {
    case Signal::kLogs:
      append("log records");
      break;
    case Signal::kTraces:
      append("spans");
      append("events");
      append("links");
      break;
    case Signal::kMetrics:
      append("metrics");
      append("data points");
      append("exemplars");
      break;
  }
  append("attributes");
  append("resource attributes");
  append("scope attributes");
  return text;
}

}  // namespace df::nodes::processors::debug
