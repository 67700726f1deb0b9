// Small sets of files into a large one, row by row.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "lake/write/file_set.h"
#include "lake/write/staged_set.h"

namespace df::lake {

/// Copies the rows of staged sets of one signal and partition into one visible set, in their order.
/// Ids stay as they are: they are unique in the partition. Before the set is visible it is checked
/// that each table has the rows of all sets, with their ids and parents. Owner: files that were not
/// published are removed when it falls; the staged files are left alone. Calls: from one thread,
/// blocking on the file system. Cost: memory for one row group and one file of a set.
class SetMerge {
 public:
  /// Of the columns id and parent_id, in the order of the rows.
  using IdDigests = std::array<uint64_t, 2>;

  /// `target` is borrowed; `staging` is where the files of the sets are, of which there is one.
  SetMerge(FileStore* target, const WriteOptions& options, std::string staging,
           std::vector<StagedSet> sets);

  /// Does a part of the work, at most a row group of it. Returns whether all is done: the merged
  /// set is durable and visible then. Errors: kinds io, parquet, arrow, and missing_file where a
  /// file has not the rows that it had; nothing is visible then, as far as the file system allows.
  Result<bool> Step();

  const std::vector<StagedSet>& sets() const { return sets_; }
  /// Of the merged set.
  FileCounts counts() const { return merged_.counts(); }
  int64_t num_root_rows() const { return merged_.num_root_rows(); }

 private:
  Result<bool> StepUnchecked();
  Status Take(const std::string& path, int64_t num_rows);
  Status Flush();
  Status Verify();

  WriteOptions options_;
  std::string staging_;
  std::vector<StagedSet> sets_;
  FileSet merged_;
  size_t table_ = 0;  ///< the one that is being copied
  size_t set_ = 0;    ///< the next of which it is copied
  std::vector<std::shared_ptr<arrow::Table>> pending_;
  int64_t pending_rows_ = 0;
  int64_t pending_bytes_ = 0;
  std::array<IdDigests, otap::kTableCount> id_digests_{};  ///< of what was read
};

}  // namespace df::lake
