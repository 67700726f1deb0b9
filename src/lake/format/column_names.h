// Names of columns in a footer that contradicts itself.
#pragma once

#include <string>

#include <parquet/metadata.h>

namespace df::lake {

/// Says that a row group calls a leaf column by another name than the schema: a byte of one of them
/// has changed. "" where they agree, and where there is no row group.
std::string NameContradiction(const parquet::FileMetaData& metadata, int column);

}  // namespace df::lake
