// The files that a run of batches of one signal becomes: one a table, visible together.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lake/write/batch_rows.h"
#include "lake/write/file_store.h"
#include "lake/write/staged_set.h"
#include "lake/write/table_writer.h"
#include "lake/write/write_options.h"
#include "otap/batch.h"

namespace df::lake {

class StagingArea;

/// What was written.
struct FileCounts {
  int64_t files = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
};

/// A batch is in one set as a whole. Owner: files that were not published are removed when the set
/// falls. Calls: from one thread, blocking on the file system.
class FileSet {
 public:
  /// `store` is borrowed. Files get the name part-<unix_millis>-<uuid>.parquet, in the folder of
  /// their table and of `partition`, which has folders of times where `has_time_levels`.
  /// Where there is `staging`, borrowed too, files go there that are written no earlier than the
  /// set is closed: they are no larger than a row group.
  FileSet(FileStore* store, const WriteOptions& options, otap::Signal signal, std::string partition,
          int64_t unix_millis, bool has_time_levels = false, StagingArea* staging = nullptr);

  /// A batch as it goes into files.
  struct Prepared {
    std::vector<std::pair<size_t, BatchRows>> rows;  ///< with TableIndex
    int64_t num_root_rows = 0;
    int64_t size_bytes = 0;
  };

  /// Takes a batch apart that passes CheckShape. `first_id` is added to its ids. Errors: those of
  /// Arrow.
  static Result<Prepared> Prepare(const otap::Batch& batch, uint32_t first_id);

  /// Takes a batch on, in memory at first.
  void Add(Prepared batch);

  /// Prepares a batch and takes it on. Errors: as Prepare; the set is as it was then.
  Status Add(const otap::Batch& batch, uint32_t first_id);

  /// Writes rows in the shape of FileSchema, whose ids are those of the partition. Errors: as
  /// Encode.
  Status Write(otap::TableKind kind, const std::shared_ptr<arrow::RecordBatch>& rows);

  /// Says that the set has the rows of another one, before Sync.
  void AddMerged(std::string file_set) { merged_sets_.push_back(std::move(file_set)); }

  /// Opens what was written of a table, after Sync and before Show. Errors: kind io.
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> ReadBack(otap::TableKind kind);

  /// What was staged; nothing where the files are visible. After Show.
  std::optional<StagedSet> staged() const;

  /// Writes what is in memory as row groups. Errors: kinds io, parquet, arrow; the set is of no use
  /// then.
  Status Encode();

  /// Writes everything and makes it visible: every table behind those that refer to it, so that no
  /// row is seen without its children. What it returns of OK is durable. After an error all files
  /// are gone, as far as the file system allows.
  Status Publish();

  /// The two parts of Publish, for several sets at once: everything is made durable, and then
  /// visible. After an error of either, Remove is to be called.
  Status Sync();
  Status Show();
  void Remove();

  int64_t num_root_rows() const { return num_root_rows_; }
  int64_t pending_bytes() const { return pending_bytes_; }  ///< in memory, not encoded
  int64_t largest_pending_rows() const { return largest_pending_rows_; }
  int64_t largest_file_bytes() const;
  /// What is encoded, unless it was staged; complete after Publish.
  FileCounts counts() const;

 private:
  struct Table {
    std::vector<BatchRows> pending;
    int64_t num_pending = 0;
    std::unique_ptr<StagedFile> file;
    std::unique_ptr<TableWriter> writer;
    std::string path;  ///< of the file, below its store
  };

  Status EncodeTable(const otap::TableInfo& info, Table* table);
  Status OpenTable(const otap::TableInfo& info, int64_t num_rows, Table* table);
  Status NameSet();

  FileStore* store_;
  WriteOptions options_;
  otap::Signal signal_;
  std::string partition_;
  int64_t unix_millis_;
  bool has_time_levels_;
  StagingArea* staging_;
  bool is_staged_ = false;
  std::string file_set_;  ///< once it is named
  std::vector<std::string> merged_sets_;
  std::array<Table, otap::kTableCount> tables_;  ///< by TableIndex
  int64_t num_root_rows_ = 0;
  int64_t pending_bytes_ = 0;
  int64_t largest_pending_rows_ = 0;
};

}  // namespace df::lake
