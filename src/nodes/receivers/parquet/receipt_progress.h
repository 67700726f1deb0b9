// What a receipt says of how far a replay came.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "lake/ledger/progress.h"
#include "nodes/receivers/parquet/config.h"

namespace df::nodes::receivers::parquet {

/// Returns the JSON object `progress` of a receipt: what was selected, and the files of which
/// something was delivered. `num_left_out`: as WriteProgress.
std::string WriteReceiptProgress(const ParquetReceiverConfig& config,
                                 const std::vector<lake::DeliveredFile>& files,
                                 int64_t* num_left_out);

/// Reads from the receipt at `path` what was delivered from `base`, as receipts name it. Errors:
/// Invalid where the file is no receipt, is of another base or another selection, or says nothing
/// of files, naming both; IOError where it cannot be read.
Result<std::vector<lake::DeliveredFile>> ReadReceiptProgress(const std::string& path,
                                                             const std::string& base,
                                                             const ParquetReceiverConfig& config);

}  // namespace df::nodes::receivers::parquet
