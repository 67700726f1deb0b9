// What a checkpoint holds, as a document that can be kept elsewhere and brought back.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "lake/ledger/checkpoint.h"

namespace df::app {

/// Writes a checkpoint as one line of JSON, with a digest of all that it says. Errors: Invalid
/// where the base, the selection or a name is not UTF-8, which JSON cannot hold.
Result<std::string> WriteCheckpointDocument(const lake::CheckpointState& state);

/// Reads what WriteCheckpointDocument has written; white space between tokens does not matter.
/// Errors: Invalid saying whether it is something else, of a newer version, or damaged, and where.
Result<lake::CheckpointState> ReadCheckpointDocument(std::string_view text);

}  // namespace df::app
