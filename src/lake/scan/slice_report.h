// Names what had to be changed in the values of a slice.
#pragma once

#include "base/error.h"
#include "lake/format/table_slice.h"
#include "lake/report/read_report.h"
#include "otap/schema.h"

namespace df::lake {

/// Reports, once per column and file with the number of rows, texts that were not UTF-8, nulls in
/// columns that the model requires, which go out with their default, types of values and metrics
/// that are not known, which go out empty, and maps and arrays without their bytes. `where` says
/// partition and file.
void ReportSlice(otap::TableKind kind, const TableSlice& slice, Location where, ReadReport* report);

}  // namespace df::lake
