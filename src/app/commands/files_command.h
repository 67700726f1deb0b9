// `df_engine files`.
#pragma once

#include <string>

namespace df::app {

/// Writes the plan (docs/catalogs.md) of the files in the table folders of a base to standard
/// output, and what it leaves out to standard error. Returns the exit code.
int FilesCommand(const std::string& base_uri);

}  // namespace df::app
