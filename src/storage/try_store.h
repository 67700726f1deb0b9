// Whether an object store answers.
#pragma once

#include <chrono>

#include "base/error.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::storage {

/// Asks an object store for the place that a URI names, whether or not anything is there, and asks
/// no second time later than `timeout`. Errors: as Store::Make and Store::Exists.
Status TryStore(const StoreUri& uri, StoreOptions options, std::chrono::nanoseconds timeout);

}  // namespace df::storage
