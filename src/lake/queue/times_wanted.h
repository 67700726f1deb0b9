// Which folders of times a selection needs.
#pragma once

#include <functional>

#include "lake/catalog/file_summary.h"
#include "lake/scan/read_options.h"

namespace df::lake {

/// Returns what says so, for ListLake; nothing where all of them are needed.
std::function<bool(const EventTimeRange&)> TimesWanted(const ReadOptions& options);

}  // namespace df::lake
