// Paths and URIs of files, as paths below a base.
#pragma once

#include <string>
#include <string_view>

#include <arrow/result.h>

#include "storage/store.h"

namespace df::lake {

/// Returns what a path or URI is below the base of a store, "" for the base itself. A path without
/// scheme that does not begin with '/' is below the base already.
/// Errors: Invalid that says what is wrong, when it lies outside or has a part that is empty, '.'
/// or '..'.
Result<std::string> PlaceInBase(const storage::Store& store, const std::string& base,
                                std::string_view path_or_uri);

}  // namespace df::lake
