// Replays one signal of one partition: root rows in order, with everything that belongs to them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_summary.h"
#include "lake/ledger/file_ledger.h"
#include "lake/read/assemble.h"
#include "lake/read/payload.h"
#include "lake/report/read_report.h"
#include "lake/scan/memory_budget.h"
#include "lake/scan/read_options.h"
#include "storage/store.h"

namespace df::lake {

/// What to replay.
struct PartitionTask {
  otap::Signal signal = otap::Signal::kLogs;
  /// All files of the partition that may be read. Root files of `signal` stand in the order in
  /// which they go out.
  std::shared_ptr<const PartitionFiles> files;
  /// Root files to replay, as indices into files->of(RootTable(signal)).
  std::vector<size_t> root_files;
  /// Other root files of the partition are replayed at another time: rows that point to those are
  /// not orphans.
  bool is_partial = false;
  /// Either empty, or one entry for each root file: the claim on the file, and the rows that the
  /// reader skips because they were delivered or sent before. With claims, rows that a passing
  /// error keeps from being read are left for another attempt, not dropped.
  std::vector<std::shared_ptr<FileClaim>> claims;
  std::vector<RowRanges> taken;
};

/// What became of a root file.
struct RootOutcome {
  FileSummaryPtr file;
  Status status;  ///< the first error in it
  int64_t rows_emitted = 0;
  std::shared_ptr<FileClaim> claim;  ///< of a task that has claims
  RowRanges unread;                  ///< left, for a reason that may pass: `status`
  RowRanges dropped;                 ///< read or not, they will not go out
  RowRanges selected_out;  ///< runs of rows of which none goes out, read or not: not wanted, or
                           ///< unanswered
};

/// Pulls payloads. Errors inside are contained: a root row group that cannot be read is reported
/// and skipped, a child row group too (its parents go out without those rows). Child rows that no
/// root row asks for, and root rows that should have children and have none, are named; the former
/// not under a selection, which asks for less than all. Rows that are not of the selection
/// are left out of payloads and counted; a payload of which nothing is left has no batch. Shape: as
/// Batch in canonical form; at most batch_size root rows; root rows keep their order. Calls: from
/// one thread, blocking on the file system. Cost: every needed byte is fetched and decoded once
/// unless the memory limit forces more (ReadReport::slices_decoded_again).
class PartitionReader {
 public:
  virtual ~PartitionReader() = default;

  /// `store`, `budget` and `report` are borrowed and outlive the reader. The report is whole,
  /// and its sums hold, when Next has returned nothing or the reader is gone.
  static Result<std::unique_ptr<PartitionReader>> Make(storage::Store* store, std::string base,
                                                       PartitionTask task,
                                                       const ReadOptions& options,
                                                       MemoryBudget* budget, ReadReport* report,
                                                       TableAssembler assemble = AssembleTable);

  /// Returns the next payload, or nothing at the end. A payload that cannot be built is reported
  /// and left out. Errors: with resource_join fail; nothing follows.
  virtual Result<std::optional<Payload>> Next() = 0;

  /// Changes what the options say of payloads, for those that Next has not returned yet.
  virtual void Limit(int64_t batch_size, std::optional<PayloadSpan> span) = 0;

  /// Root files that have been read so far, in order.
  virtual const std::vector<RootOutcome>& outcomes() const = 0;
};

}  // namespace df::lake
