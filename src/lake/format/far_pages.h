// Pages of a row group in a store that is far away, fetched for the rows that are needed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <arrow/result.h>
#include <parquet/metadata.h>

#include "lake/format/paged_input.h"
#include "lake/format/row_stretch.h"
#include "storage/remote_file.h"

namespace df::lake {

/// Fetches the pages of all columns that hold some rows, side by side. Pages of other rows are not
/// read at all, so the offset indexes are believed: they come of writers that are known to write
/// them right. What they say of a page that is read is compared with its header. Calls: from one
/// thread.
class FarPages {
 public:
  /// Columns up to this size are fetched whole.
  static constexpr int64_t kFewBytes = 32 << 10;

  /// A column chunk that is read.
  struct Chunk {
    int column = 0;
    arrow::io::ReadRange range;
    bool is_whole = false;  ///< its pages are not told apart
  };

  /// Begins to fetch the pages of `needed`, and what `chunks` has beside them. Returns null where
  /// the rows that are needed lie in most of the pages, or an index is wrong.
  static arrow::Result<std::shared_ptr<FarPages>> Make(std::shared_ptr<storage::RemoteFile> file,
                                                       const parquet::RowGroupMetaData& row_group,
                                                       std::vector<Chunk> chunks,
                                                       const RowStretches& needed);

  /// Returns how much may lie between pages of one request: most of a column lies there, so it is
  /// less than elsewhere.
  static int64_t HoleOf(const storage::RemoteFile& file);

  /// Returns the index of the chunk that begins at a position; null where it is read whole.
  const PageIndex* IndexAt(int64_t position) const;

  /// Waits for the pages that hold rows. Pages that were not asked for before are fetched. With
  /// them come as many rows behind as were fetched so far, so that few calls fetch many rows.
  /// Returns whether the indexes are right; where they are not, rows would be shifted. Errors: what
  /// reading returns.
  arrow::Result<bool> Fetch(const RowStretches& rows);

 private:
  struct Column {
    PageIndex index;
    std::vector<bool> is_fetched;  ///< by page
  };

  FarPages(std::shared_ptr<storage::RemoteFile> file, int64_t num_rows)
      : file_(std::move(file)), num_rows_(num_rows) {}

  void ReadIndexes(const parquet::RowGroupMetaData& row_group, std::vector<Chunk>* chunks);
  /// Adds the pages that hold rows and are not fetched.
  std::vector<PageIndex::Page> PagesOf(const RowStretches& rows) const;
  void Announce(const std::vector<PageIndex::Page>& pages,
                std::vector<arrow::io::ReadRange> others);
  arrow::Result<bool> Check(const std::vector<PageIndex::Page>& pages);

  std::shared_ptr<storage::RemoteFile> file_;
  int64_t num_rows_;
  std::map<int64_t, Column> columns_;  ///< by where the chunk begins
  std::vector<storage::RemoteFile::Hold> held_;
  int64_t rows_fetched_ = 0;
};

}  // namespace df::lake
