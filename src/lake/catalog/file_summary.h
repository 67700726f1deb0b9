// What is remembered of a file between polls.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lake/catalog/table_schema.h"
#include "lake/format/table_file.h"
#include "lake/report/read_report.h"
#include "otap/schema.h"
#include "storage/directory.h"
#include "storage/store.h"

namespace df::lake {

class FooterCache;
class SchemaRegistry;

/// A file as the listing shows it.
struct FileEntry {
  std::string path;  ///< below the base, '/'-separated
  int64_t size_bytes = 0;
  int64_t modified_nanos = 0;  ///< since the Unix epoch
  int64_t changed_nanos = 0;   ///< when it got its name or its content last; 0: unknown
  storage::FileNumber number;  ///< when the file system tells
  int64_t num_rows = -1;       ///< as a list of files says; -1: none does
};

/// Nanoseconds since 1970, both ends included.
struct EventTimeRange {
  int64_t least = 0;
  int64_t most = 0;
};

struct RowGroupSummary {
  int64_t num_rows = 0;
  int64_t num_bytes = 0;                ///< of its column chunks, as stored
  std::optional<IdRange> parent_ids;    ///< by the statistics of parent_id; a hint
  bool claims_null_parents = false;     ///< the statistics of parent_id say that all are null
  std::optional<IdRange> ids;           ///< by the statistics of id
  std::optional<IdRange> resource_ids;  ///< roots: by the statistics of resource.id
  std::optional<IdRange> scope_ids;     ///< roots: by the statistics of scope.id
  std::optional<EventTimeRange> times;  ///< of records and data points: has those of all rows
};

/// What the footer said. Shape: about 100 bytes and 64 a row group, whatever the size of the
/// footer.
struct FileSummary {
  otap::TableKind kind = otap::TableKind::kLogs;
  FileEntry entry;
  std::string digest;
  TableSchemaPtr schema;  ///< null where nobody asked for it
  /// Where it comes from when its footer was not read by this process.
  std::weak_ptr<FooterCache> cache;
  bool has_partition_scope_ids = false;
  bool is_parquet_rs = false;
  /// Its records carry the marks of dead letters (otap/dead_letter.h).
  bool holds_dead_letters = false;
  /// Of files of our own exporter: the set of files that it made visible together.
  std::string file_set;
  /// Roots that say so: how many rows of each other table their set has.
  std::optional<std::vector<std::pair<otap::TableKind, int64_t>>> rows_of_set;
  int64_t num_repaired_columns = 0;
  std::vector<Status> notices;   ///< as Layout::notices
  std::vector<Status> problems;  ///< as Layout::problems
  std::vector<RowGroupSummary> row_groups;
  /// What reading parent_id has shown of its statistics; shared by all readers of the file.
  enum class Trust : uint8_t { kUnchecked, kRight, kWrong };
  mutable std::atomic<Trust> parent_statistics = Trust::kUnchecked;
  /// A row group has an id outside the range that its statistics give; shared, too.
  mutable std::atomic<bool> has_wrong_id_statistics = false;
  /// TableFile::version when the file was first opened. 0: it was not opened, or has no version.
  mutable std::atomic<size_t> version = 0;
  /// It counts among files_failed.
  mutable std::atomic<bool> has_failed = false;
  int64_t num_rows() const {
    int64_t sum = 0;
    for (const RowGroupSummary& group : row_groups) {
      sum += group.num_rows;
    }
    return sum;
  }
};
using FileSummaryPtr = std::shared_ptr<const FileSummary>;

class PartitionJoins;

/// The files of one partition whose footers are known, by table in the order in which they are
/// read.
struct PartitionFiles {
  std::string partition;  ///< key path below the table folder, "" when there is none
  std::array<std::vector<FileSummaryPtr>, otap::kTableCount> tables;
  /// By table: a file of it exists and could not be read, so what the others say may not be all.
  std::array<bool, otap::kTableCount> has_unreadable{};
  /// What a reader has found out about resources, for those of the other signals; the files do not
  /// change any more then, and readers of a partition take turns.
  mutable std::shared_ptr<PartitionJoins> joins;
  const std::vector<FileSummaryPtr>& of(otap::TableKind kind) const {
    return tables[otap::TableIndex(kind)];
  }
  std::vector<FileSummaryPtr>& of(otap::TableKind kind) { return tables[otap::TableIndex(kind)]; }
};

/// Keys by which the files of a set of our own exporter know each other (docs/parquet-files.md).
inline constexpr const char* kFileSetKey = "otap.file_set";
inline constexpr const char* kRowsOfSetKey = "otap.file_set.rows";

/// Reads the footer of a file and keeps what FileSummary names. `schemas` may be null. Errors: as
/// TableFile::Open.
Result<FileSummaryPtr> Summarise(storage::Store& store, const std::string& base,
                                 const FileEntry& entry, otap::TableKind kind,
                                 const std::string& partition, SchemaRegistry* schemas = nullptr);

/// Compares the rows of a file with what a list of files says of it. Errors: file_discovery naming
/// both numbers: the file is not the one that was listed.
Status CheckNumRows(const FileSummary& file, const FileEntry& entry, const Location& location);

/// Opens a file whose footer was read before, for what the summary says of it. Errors: as
/// TableFile::Open, and a passing one (storage::IsReplaced) when the file has another footer or is
/// of another version now; a cache that said otherwise forgets the file.
Result<std::shared_ptr<TableFile>> OpenSummarised(storage::Store& store, const std::string& base,
                                                  const FileSummary& summary,
                                                  const Location& location);

/// Adds what the layout of a file has to say, and its repairs, to a report.
void ReportLayout(const FileSummary& file, ReadReport* report);

/// Returns the range of the ids of a root file over its row groups; nothing when statistics are
/// missing or no row has one.
std::optional<IdRange> IdsOf(const FileSummary& file);

/// Returns the path of a file for the file system.
std::string FullPath(const std::string& base, const std::string& path);

}  // namespace df::lake
