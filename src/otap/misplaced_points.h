// Data points that their metric has no place for, and codes that are not known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap {

/// Returns the table in which metrics of a type have their data points, or nothing.
std::optional<TableKind> PointsOfType(uint8_t metric_type);

/// Rows of data points by their table and the type of their metric.
using MisplacedPoints = std::map<std::pair<TableKind, uint8_t>, int64_t>;

/// Returns the batch without data points that stand in another table than the type of their metric
/// says, or whose metric has a type without data or one that is not known, and without what hangs
/// below them; adds their numbers to `misplaced`. No encoder could send them as points of their
/// metric. Shape: the same batch when all points fit. Needs plain ids. Errors: those of Arrow.
/// Cost: O(rows) of metrics and points.
arrow::Result<BatchPtr> DropMisplacedPoints(const BatchPtr& batch, MisplacedPoints* misplaced);

/// Returns how many values and metrics have a type that is not of the model: what it means is not
/// known, and OTLP has them empty.
int64_t CountUnknownCodes(const Batch& batch);

}  // namespace df::otap
