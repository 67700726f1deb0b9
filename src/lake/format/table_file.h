// One Parquet file of one table, open for reading by leaf.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "lake/format/bloom_filter.h"
#include "lake/format/footer.h"
#include "lake/format/layout.h"
#include "lake/format/leaf.h"
#include "lake/format/leaf_decoder.h"
#include "lake/format/page_gate.h"
#include "lake/format/row_stretch.h"
#include "storage/remote_file.h"
#include "storage/store.h"

namespace df::lake {

/// Smallest and largest value of a column that the file's statistics promise.
struct IdRange {
  uint32_t min = 0;
  uint32_t max = 0;
};

/// The range of a column that is null in every row.
inline constexpr IdRange kEmptyIdRange = {.min = UINT32_MAX, .max = 0};

/// Ids of a run of rows: values and which are not null.
struct IdColumn {
  std::vector<uint32_t> values;             ///< 0 where null
  std::shared_ptr<arrow::Buffer> validity;  ///< null when every row has a value
  int64_t num_valid = 0;
  bool is_valid(int64_t row) const {
    return validity == nullptr || (validity->data()[row >> 3] >> (row & 7) & 1) != 0;
  }
};

/// What a reader may hold of one row group.
struct ReadLimits {
  PageLimits pages;
  /// The text, binary and lists of a slice take at most so much, as far as a single row allows.
  int64_t slice_bytes = std::numeric_limits<int64_t>::max();
};

/// Rows of all wanted leaves of a row group.
struct DecodedRows {
  int64_t num_rows = 0;
  std::vector<LeafSlice> leaves;  ///< in LeavesOf order; empty ones for what is not read or absent
  std::vector<RefusedRows> refused;  ///< of any leaf, ascending, without overlap
};

/// Nanoseconds since 1970 of a column in a row group.
struct TimeStatistics {
  int64_t least = 0;
  int64_t most = 0;
  bool may_be_unset = false;  ///< a row may hold null or 0
  bool is_all_unset = false;  ///< all rows hold null
};

/// Decodes slices of all wanted leaves of a row group, front to back.
class RowGroupStream {
 public:
  virtual ~RowGroupStream() = default;
  /// Returns the next rows: at least one, and fewer than `num_rows` where the limits say so.
  virtual Result<DecodedRows> Next(int64_t num_rows) = 0;
  /// Passes over rows that nobody needs. Cost: pages that hold no others are not read, where the
  /// file tells where they stand.
  virtual Status Skip(int64_t num_rows) = 0;
  /// Rows will be asked for next that were not announced when it was opened. Returns false where
  /// they cannot be read through this stream: the row group is to be opened again. Errors: what
  /// reading returns.
  virtual Result<bool> Need(const RowStretches& rows) = 0;
  /// Pages that were not read because of Skip, and their bytes.
  virtual PassedRows passed() const = 0;
  /// Bytes that it holds between two calls, and what of these comes of unusual pages or
  /// dictionaries.
  virtual int64_t held_bytes() const = 0;
  virtual int64_t large_bytes() const = 0;
};

/// What is read of a row group to see whether any row of it is wanted.
struct ScreenPlan {
  std::vector<bool> leaves;           ///< which are read
  std::vector<bool> leaves_if_small;  ///< which are read in most cases
  /// Asked of the bloom filter of trace_id first: where there is one, the leaves may not be needed.
  std::vector<std::string> trace_ids;
};

class TableFile : public std::enable_shared_from_this<TableFile> {
 public:
  /// Opens a file; `path` is for the file system, `location` for messages. Every column is told to
  /// be the model's or not, and a file that cannot be read right is refused. Errors: io, parquet,
  /// schema_reconstruction.
  static Result<std::shared_ptr<TableFile>> Open(storage::Store& store, const std::string& path,
                                                 otap::TableKind kind, const Location& location);

  otap::TableKind kind() const { return kind_; }
  const Location& location() const { return location_; }
  const Footer& footer() const { return footer_; }
  /// Returns what tells versions of a file of an object store apart; 0 where nothing does.
  size_t version() const { return version_; }
  /// Returns what stands in the file: by leaf, and what is no leaf.
  const Layout& layout() const { return layout_; }
  int num_row_groups() const { return footer_.metadata->num_row_groups(); }
  int64_t num_rows(int row_group) const { return num_rows_[static_cast<size_t>(row_group)]; }

  /// Bytes of the row group as stored before compression: the base of memory estimates.
  int64_t uncompressed_bytes(int row_group) const { return bytes_[static_cast<size_t>(row_group)]; }

  /// Bytes of the column chunks of the row group in the file, and of those of some leaves.
  int64_t stored_bytes(int row_group) const;
  int64_t stored_bytes(int row_group, const std::vector<bool>& leaves) const;

  /// Tells whether a row of a row group may have one of some values of 16 or 8 bytes in a leaf, by
  /// its bloom filter, which is believed.
  bool MayHaveAny(int row_group, int leaf, const std::vector<std::string_view>& values);

  /// Tells whether a row of a row group may have a text in a leaf, by the dictionary of its column
  /// chunk, where the footer says that all pages refer to it, which is believed. No row has "" by
  /// being null.
  bool MayHaveText(int row_group, int leaf, std::string_view text);

  /// Returns how many items the lists of a leaf have in a row group, nulls and empty lists
  /// included.
  int64_t num_items(int row_group, int leaf) const;

  /// Tells whether resource and scope ids are unique in the partition and join as stored: the
  /// file's own key says so. The width of the ids says nothing: rewriters widen them.
  bool has_partition_scope_ids() const { return has_partition_scope_ids_; }

  /// Tells whether the file was written by parquet-rs, the writer of upstream exporters.
  bool is_parquet_rs() const { return is_parquet_rs_; }

  /// Tells whether the file has a leaf.
  bool has_leaf(int leaf) const { return layout_.columns[static_cast<size_t>(leaf)] >= 0; }

  /// Tells whether the Parquet type of a leaf is REQUIRED: it cannot be null in this file.
  bool is_required(int leaf) const;

  /// Returns the physical Parquet type of a leaf that the file has.
  parquet::Type::type physical_type(int leaf) const;

  /// Returns what the statistics say of an integer leaf; kEmptyIdRange when every row is null,
  /// nothing when they are absent or unusable.
  std::optional<IdRange> Statistics(int row_group, int leaf) const;

  /// Returns what the statistics say of a leaf of times that the file has; nothing when they are
  /// absent or unusable.
  std::optional<TimeStatistics> Times(int row_group, int leaf) const;

  /// Begins to fetch all columns of a row group, if its store is far away: those that are small,
  /// and the others where there is room for all. They are kept until the row group is opened and
  /// read. `is_reserved`: there is room.
  void Prefetch(int row_group, bool is_reserved = false);
  /// Lets go what Prefetch has fetched of a row group that is not opened.
  void LetGo(int row_group) { fetched_.erase(row_group); }

  /// Begins to fetch what a plan says, as far as there is room, if the store is far away. It is
  /// kept until it is read, or EndScreen.
  void PrefetchScreen(int row_group, const ScreenPlan& plan);
  void EndScreen(int row_group) { screens_.erase(row_group); }

  /// The same for some leaves, which are kept until they are read or what is returned is gone. Null
  /// where nothing is fetched, as what Prefetch has begun.
  std::shared_ptr<void> Announce(int row_group, const std::vector<bool>& leaves);

  /// Reads a whole id column of a row group; an absent column reads as all null.
  Result<IdColumn> ReadIds(int row_group, int leaf);

  /// Opens the leaves for which `wanted` is true. Root and parent ids are decoded at their width in
  /// memory. `needed`: the rows that will be read first, where others will be passed over; columns
  /// are read page by page then, those of stores that are far away the first time that the row
  /// group is opened, and where the offset index can be believed.
  Result<std::unique_ptr<RowGroupStream>> OpenRowGroup(int row_group,
                                                       const std::vector<bool>& wanted,
                                                       const ReadLimits& limits = {},
                                                       const RowStretches* needed = nullptr);

  /// Opens the pages of one flat leaf. Adds what the file is read through to `buffer_bytes`, which
  /// may be null.
  Result<std::unique_ptr<LeafDecoder>> OpenLeaf(int row_group, int leaf, const otap::Column& target,
                                                const PageLimits& limits = {},
                                                int64_t* buffer_bytes = nullptr,
                                                std::shared_ptr<PassedRows> passed = nullptr);

 private:
  /// A column chunk up to this size is fetched with one read; larger ones stream through a buffer
  /// of this size.
  static constexpr int64_t kWholeChunkBytes = 1 << 20;

  TableFile() = default;
  Status MapColumns();
  Status CheckRowGroups();
  /// Looks into the columns that stand for leaves and must hold nothing: those of one leaf, or all.
  Status CheckEmptyColumns(int row_group, int leaf = -1);
  /// Returns where the pages of a column chunk of a row group stand. Errors: parquet.
  Result<arrow::io::ReadRange> ChunkRange(int row_group,
                                          const parquet::ColumnChunkMetaData& chunk) const;
  /// Begins to fetch the pages of some rows; null where all of the row group is to be read.
  Result<std::shared_ptr<FarPages>> FetchPages(int row_group, const std::vector<bool>& leaves,
                                               const RowStretches& needed);
  std::optional<BloomLocation> BloomOf(int row_group, int leaf) const;
  /// `is_all`: large columns, too, whether there is room for them or not.
  std::shared_ptr<void> Fetch(int row_group, const std::vector<bool>& leaves, bool is_all,
                              std::optional<int64_t> hole_bytes = std::nullopt);
  /// Opens the bytes of a column chunk that is not read at once.
  Result<std::shared_ptr<arrow::io::InputStream>> OpenStream(int row_group,
                                                             arrow::io::ReadRange range);
  Result<std::unique_ptr<parquet::PageReader>> OpenPages(int row_group, int column,
                                                         const PageLimits& limits,
                                                         int64_t* buffer_bytes,
                                                         std::shared_ptr<PassedRows> passed);
  Result<std::unique_ptr<LeafDecoder>> OpenCompanion(int row_group, int leaf,
                                                     const PageLimits& limits,
                                                     int64_t* buffer_bytes,
                                                     std::shared_ptr<PassedRows> passed);

  otap::TableKind kind_ = otap::TableKind::kLogs;
  Location location_;
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  bool is_remote_ = false;
  size_t version_ = 0;
  std::shared_ptr<storage::RemoteFile> remote_;   ///< `file_`, unless it is read whole
  std::map<int, std::shared_ptr<void>> fetched_;  ///< by row group, until that is opened
  std::map<int, std::shared_ptr<void>> screens_;  ///< by row group
  std::set<int> opened_by_page_;                  ///< row groups: once is enough
  Footer footer_;
  Layout layout_;
  std::vector<int64_t> num_rows_;
  std::vector<int64_t> bytes_;
  bool has_partition_scope_ids_ = false;
  bool is_parquet_rs_ = false;
};

}  // namespace df::lake
