// What was delivered of files, as text that a later process goes on from.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lake/ledger/file_ledger.h"

namespace df::lake {

/// Writes files as a JSON array, a line for each: table, partition, path, bytes, time of the last
/// change, digest of the footer, records, and "all" or runs of [row group, first row, rows]. Files
/// whose names are not UTF-8 are left out, and counted in `num_left_out`: JSON cannot name them.
std::string WriteProgress(std::span<const DeliveredFile> files, int64_t* num_left_out);

/// Reads what WriteProgress has written. Errors: Invalid naming the entry, what was found and what
/// is expected.
Result<std::vector<DeliveredFile>> ReadProgress(std::string_view json);

}  // namespace df::lake
