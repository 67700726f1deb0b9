// What to say of a folder in which there is nothing to replay.
#pragma once

#include <span>
#include <string>

#include "otap/schema.h"
#include "storage/store_uri.h"

namespace df::nodes::receivers::parquet {

/// Says in one line what stands in `base` in place of files of the tables of `signals`, and which
/// folder close to it has tables; of an object store the first only. Cost: lists `base`, and at
/// most a few hundred folders below it; opens no file. Folders that cannot be listed are taken as
/// empty.
std::string DescribeEmptyBase(const storage::StoreUri& base, std::span<const otap::Signal> signals);

}  // namespace df::nodes::receivers::parquet
