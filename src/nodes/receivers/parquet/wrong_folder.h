// What to say of a folder in which there is nothing to replay.
#pragma once

#include <span>
#include <string>

#include "otap/schema.h"

namespace df::nodes::receivers::parquet {

/// Says in one line what stands in `base` in place of files of the tables of `signals`, and which
/// folder close to it has tables. Cost: lists `base`, and at most a few hundred folders below it;
/// opens no file. Folders that cannot be listed are taken as empty.
std::string DescribeEmptyBase(const std::string& base, std::span<const otap::Signal> signals);

}  // namespace df::nodes::receivers::parquet
