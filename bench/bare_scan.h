// The yardstick: decode all columns of the same files with Arrow C++, on one thread, and do nothing
// with them.
#pragma once

#include <cstdint>
#include <string>

#include <arrow/result.h>

namespace df::bench {

struct ScanResult {
  int64_t num_files = 0;
  int64_t num_rows = 0;
  int64_t file_bytes = 0;
  double seconds = 0;
};

/// Reads every *.parquet below `base` whole, one after the other. With `read_dictionary`, text
/// columns are read as dictionaries, else plain. Footers are repaired first, as Arrow C++ cannot
/// read some upstream columns otherwise.
arrow::Result<ScanResult> BareScan(const std::string& base, bool read_dictionary);

}  // namespace df::bench
