// Going on from the receipt of an earlier replay.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "app/commands/destination.h"
#include "base/error.h"

namespace df::app {

/// Has a replay that goes on from the receipt `resume` select what the one before has selected,
/// unless `config`, that of its receiver, selects something, and take its signals. What else is
/// wrong with the receipt the receiver says. Errors: Invalid where it is none, or where flags name
/// other signals (`has_signals`): what only some runs take on would be lost to the next ones.
Status TakeResumed(const std::string& resume, bool has_signals, nlohmann::ordered_json* config);

/// A file that a run before has written is not written over. Errors: Invalid naming it.
Status CheckNotThere(const Destination& destination);

}  // namespace df::app
