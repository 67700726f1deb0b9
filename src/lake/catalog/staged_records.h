// Records that a writer has taken and not made visible.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "otap/schema.h"

namespace df::lake {

/// The folder in a base in which each writer stages, in a folder of its own, and the file there
/// that it locks as long as it runs.
inline constexpr const char* kStagingFolder = "_staging";
inline constexpr const char* kStagingLock = "lock";

/// Names the writers of a local base that have ended and left records of these signals staged:
/// senders were told that they are stored, and nobody reads them. One problem a writer, of kind
/// missing_file. What a running writer has staged is no problem: it publishes that. Cost: a listing
/// of what is staged.
std::vector<Status> FindStaged(const std::string& base, const std::vector<otap::Signal>& signals);

}  // namespace df::lake
