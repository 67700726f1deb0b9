// Files that are as our exporter wrote them.
#pragma once

#include <string>

#include "lake/catalog/file_summary.h"
#include "storage/store.h"

namespace df::lake {

/// Tells whether a file is as our exporter wrote it: who writes it anew may keep the name of its
/// set, and put rows of other sets into it. False where it cannot be opened, which its reader
/// reports. Cost: opens the file.
bool IsAsWritten(storage::Store& store, const std::string& base, const FileSummary& file);

}  // namespace df::lake
