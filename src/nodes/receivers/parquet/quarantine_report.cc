#include "nodes/receivers/parquet/quarantine_report.h"

#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace df::nodes::receivers::parquet {

void DescribeQuarantine(const ParquetReceiverConfig& config,
                        const std::vector<lake::QuarantineEntry>& before,
                        engine::NodeReport* report) {
  int64_t num_entries = 0;
  int64_t num_rows = 0;
  int64_t num_files = 0;
  int64_t num_dropped = 0;
  for (const lake::QuarantineEntry& entry : before) {
    num_dropped += entry.is_dropped ? 1 : 0;
    if (!entry.is_dropped) {
      ++num_entries;
      num_rows += entry.rows.num_rows();
      num_files += entry.file == 0 ? 1 : 0;
    }
  }
  if (num_entries > 0) {
    report->lines.push_back(fmt::format(
        "in quarantine since an earlier run, and not tried again: {} records, and {} files that "
        "cannot be opened; see df_engine quarantine list {}/{}",
        num_rows, num_files, PrintableText(config.checkpoint->directory),
        PrintableText(config.checkpoint->name)));
    report->num_problems += num_entries;
  }
  if (num_dropped > 0) {
    report->lines.push_back(
        fmt::format("dropped from the quarantine by hand: {} entries", num_dropped));
  }
}

void AddQuarantined(const std::vector<lake::QuarantineEntry>& before,
                    engine::SourceAccount* account) {
  size_t num_named = 0;
  int64_t num_more = 0;
  for (const lake::QuarantineEntry& entry : before) {
    if (entry.is_dropped) {
      continue;
    }
    if (num_named++ >= engine::SourceAccount::kMaxListed) {
      ++num_more;
      continue;
    }
    const std::string what = entry.file == 0 ? std::string("the file")
                                             : fmt::format("{} records", entry.rows.num_rows());
    account->problems.push_back(
        {"quarantined", fmt::format("{}: {}: {}", entry.path, what, entry.reason), 1});
  }
  if (num_more > 0) {
    account->problems.push_back({"quarantined", "more entries of the quarantine", num_more});
  }
}

}  // namespace df::nodes::receivers::parquet
