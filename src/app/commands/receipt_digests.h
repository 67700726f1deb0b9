// What receipts say was delivered.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "otap/schema.h"
#include "otlp/compare/item_digests.h"

namespace df::app {

/// One signal, added up over the sources of all runs.
struct DeliveredDigest {
  otlp::ItemSum sum;
  int64_t num_without = 0;    ///< items that were delivered and are not in the sum
  int64_t num_in_flight = 0;  ///< items without an outcome: they may have arrived
};

/// By signal; nothing for signals that were not replayed.
using DeliveredDigests = std::array<std::optional<DeliveredDigest>, otap::kAllSignals.size()>;

/// Tells whether a file is a receipt, by what it begins with.
bool IsReceipt(const std::string& path);

/// Adds up what receipts say, each of another run. Errors: Invalid with the name of the file, also
/// where a run was not told to compute digests.
Result<DeliveredDigests> ReadReceiptDigests(const std::vector<std::string>& paths);

}  // namespace df::app
