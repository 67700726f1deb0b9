// Going on from the receipt of an earlier replay.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "app/commands/destination.h"
#include "base/error.h"

namespace df::app {

/// Puts the signals of the receipt `resume` into `config`, the configuration of a receiver, and its
/// selection unless `config` has one. `has_signals` says that flags chose the signals in `config`.
/// Errors: Invalid where the file is no receipt, or the flags name other signals than the receipt.
/// The receiver checks the rest of the receipt.
Status TakeResumed(const std::string& resume, bool has_signals, nlohmann::ordered_json* config);

/// A file that a run before has written is not written over. Errors: Invalid naming it.
Status CheckNotThere(const Destination& destination);

}  // namespace df::app
