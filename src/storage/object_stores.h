// Arrow's file systems of object stores.
#pragma once

#include <memory>

#include <arrow/filesystem/type_fwd.h>

#include "base/error.h"
#include "storage/retry.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::storage {

/// Makes the file system of a URI that is not local. What the query of the URI says counts as if
/// the options said it; both may not. S3 is in a library of its own, loaded when it is asked for
/// first. `retry` is asked about every request that fails inside the store's SDK, where that asks;
/// it outlives the file system. Errors: Invalid for settings that contradict each other or mean
/// nothing, NotImplemented where the library is missing.
Result<std::shared_ptr<arrow::fs::FileSystem>> MakeObjectFileSystem(const StoreUri& uri,
                                                                    const StoreOptions& options,
                                                                    Retry* retry);

/// Ends what the SDKs have running. Called once by the program, when no store is left.
void FinalizeStores();

}  // namespace df::storage
