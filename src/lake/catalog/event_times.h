// Times of the rows of a file, as its statistics tell them.
#pragma once

#include <optional>

#include "lake/catalog/file_summary.h"
#include "lake/format/table_file.h"

namespace df::lake {

/// Tells whether the rows of a table have an event time: log records, spans and data points.
bool HasEventTimes(otap::TableKind kind);

/// Returns a range that has the event time (select/selector.h) of every row of a row group of such
/// a table; nothing where statistics do not tell. Times that were not set are 0.
std::optional<EventTimeRange> EventTimesOf(const TableFile& file, int row_group);

}  // namespace df::lake
