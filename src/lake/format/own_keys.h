// Keys in the footers of files of our own exporter (docs/parquet-files.md).
#pragma once

#include <arrow/util/key_value_metadata.h>

#include "base/error.h"

namespace df::lake {

inline constexpr const char* kFormatVersionKey = "otap.format_version";
/// What is written; every version up to it is read.
inline constexpr int kFormatVersion = 2;

/// How tables and files of a tree lie.
inline constexpr const char* kLayoutKey = "otap.layout";
inline constexpr const char* kLayout = "star";

/// Where an id means something.
inline constexpr const char* kIdScopeKey = "otap.id_scope";
inline constexpr const char* kIdScope = "partition";

/// Which start of which instance of an exporter has written a file.
inline constexpr const char* kProducerKey = "otap.producer";

/// Of files whose resources carry the marks of dead letters (otap/dead_letter.h): a replay takes
/// them off.
inline constexpr const char* kDeadLettersKey = "otap.dead_letters";
inline constexpr const char* kDeadLetters = "resource";

/// The small sets that a set was made of, with commas between them; in its file of roots.
inline constexpr const char* kMergedSetsKey = "otap.merged_sets";

/// Checks that files with these keys can be read: their version is known, and so is their layout.
/// Files without our keys pass. Errors: schema_reconstruction with what was found and expected.
Status CheckOwnKeys(const arrow::KeyValueMetadata& keys, const Location& location);

}  // namespace df::lake
