// Row groups behind one of which most rows are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lake/read/partition_reader.h"
#include "lake/scan/prefetcher.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Has the next row groups of a task fetched, with those of children, while a selection of files in
/// an object store wants most rows of them: the ones behind are likely to be wanted alike. Where
/// one is not, what was begun is let go, and after some of these nothing is fetched ahead any more.
/// Memory and bytes in vain: at most kAhead row groups of the root table with their children, and
/// Store::ahead_bytes. Owner: borrows the context, whose `prefetcher` it sets. Calls: from the
/// thread of the reader.
class DenseAhead {
 public:
  static constexpr size_t kAhead = 8;  ///< row groups of the root table
  static constexpr int kMostStops = 2;

  /// `may_be_wanted` tells what statistics say of a row group of the root table.
  DenseAhead(const PartitionTask& task, ReadContext* context,
             std::function<bool(const RowGroupSummary&)> may_be_wanted);
  ~DenseAhead();

  /// Returns the file by which a row group is fetched, or null.
  std::shared_ptr<TableFile> Find(const FileSummary& file);

  /// A row group of the root table is opened. `is_dense`: most of its rows are wanted. Row groups
  /// come in the order of the task.
  void Follow(const FileSummary& file, int row_group, bool is_dense);

 private:
  struct Group {
    FileSummaryPtr file;
    int index = 0;
    const RowGroupSummary& summary() const { return file->row_groups[static_cast<size_t>(index)]; }
  };
  /// A table whose rows point to the root table, by the least parent of its row groups.
  struct Children {
    std::vector<Group> groups;
    size_t next = 0;  ///< the first that was not asked for
    size_t left = 0;  ///< the first that may still be needed
  };

  void Start();
  void Stop();
  void Extend();
  void LetGoBefore(uint32_t id);

  ReadContext* context_;
  std::function<bool(const RowGroupSummary&)> may_be_wanted_;
  std::vector<Group> roots_;  ///< empty: nothing is fetched ahead
  std::vector<Children> children_;
  size_t position_ = 0;  ///< in roots_: of the row group that is open
  size_t horizon_ = 0;   ///< the first that was not asked for
  bool is_in_order_ = true;
  uint32_t max_id_ = 0;  ///< of what was asked for
  int num_stops_ = 0;
  std::unique_ptr<Prefetcher> prefetcher_;
};

}  // namespace df::lake
