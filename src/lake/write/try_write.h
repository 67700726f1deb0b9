// Whether files could be written somewhere, told without leaving anything there.
#pragma once

#include <string>

#include "base/error.h"
#include "base/file_calls.h"

namespace df::lake {

/// Proves that files could be made in a folder, which need not be there: then it is the folder
/// above, the nearest that there is, in which it is proven (FileStore::Prove). What is made for
/// that is removed again. `calls` is borrowed. Errors: kind io; IOError where something on the way
/// is no folder.
Status TryWrite(const std::string& folder, FileCalls* calls = &SystemFileCalls());

}  // namespace df::lake
