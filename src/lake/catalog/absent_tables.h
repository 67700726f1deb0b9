// Tables that a lake, or some of its partitions, have no file of.
#pragma once

#include <string>
#include <vector>

#include "lake/catalog/catalog.h"

namespace df::lake {

/// Says which tables of the signals have no file although there are root files: those that no
/// partition has in one line a signal, and one line for each that only some partitions have.
/// log_attrs is left out: the ids of log records tell whether it is missing. Nothing here is an
/// error; a lake without links is a lake without links.
std::vector<std::string> DescribeAbsentTables(const LakeListing& listing,
                                              const std::vector<otap::Signal>& signals);

}  // namespace df::lake
