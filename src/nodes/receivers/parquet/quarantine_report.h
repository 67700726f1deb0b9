// What a replay says of rows and files that an earlier process has put into quarantine.
#pragma once

#include <vector>

#include "engine/account.h"
#include "engine/node.h"
#include "lake/ledger/quarantine.h"
#include "nodes/receivers/parquet/config.h"

namespace df::nodes::receivers::parquet {

/// Adds to a report how much there is, as problems, whether or not the replay has met it: a run
/// that leaves something out is not complete. What was dropped by hand is told, and no problem.
void DescribeQuarantine(const ParquetReceiverConfig& config,
                        const std::vector<lake::QuarantineEntry>& before,
                        engine::NodeReport* report);

/// Adds each to the problems of a receipt, as long as the list of these is not full.
void AddQuarantined(const std::vector<lake::QuarantineEntry>& before,
                    engine::SourceAccount* account);

}  // namespace df::nodes::receivers::parquet
