// What people call signals and their items.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "otap/schema.h"

namespace df::app {

/// Returns "logs", "spans" or "points": the items of a signal, as verbs and flags name them.
std::string_view ItemsName(otap::Signal signal);

/// Finds a signal by its name or that of its items: logs, traces, spans, metrics, points. Errors:
/// Invalid with what was found, and the nearest one.
Result<otap::Signal> FindSignalName(const std::string& name);

}  // namespace df::app
