// Star-schema Parquet trees as different writers leave them, made from batches.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>

#include "otap/batch.h"
#include "testing/random_value.h"

namespace df::testing {

/// Whose files are imitated.
enum class LakeLayout : uint8_t {
  /// UInt32 ids shifted per batch, resource.id and scope.id left as they are in UInt16, the
  /// columns and fill values of the exporter of the reference, its `created_by`.
  kUpstream,
  /// Nested ids shifted too and stored as UInt32, all columns of the model, and the keys
  /// otap.format_version=1 and otap.id_scope=partition in every file.
  kOwn,
};

enum class ChildOrder : uint8_t {
  kAsGiven,
  kByParent,         ///< parent_id ascending inside a file
  kByKey,            ///< type, key, value (or name, trace) first, parent last, inside each batch
  kShuffledInBatch,  ///< batches stand one behind the other, rows inside are in random order
  kShuffledInFile,   ///< rows of all batches of a file are mixed
};

/// Arrow form of text, binary, number and fixed-binary columns that the model allows as
/// dictionaries. The width is only a hint in the stored Arrow schema; it may be too narrow for the
/// whole file, as in upstream's files.
enum class DictionaryForm : uint8_t {
  kAsGiven,  ///< as the first batch of the file has the column
  kNone,
  kInt8,
  kInt16,
  kInt32,
};

enum class ValueEncoding : uint8_t {
  kDictionary,  ///< with plain pages once a dictionary is full
  kPlain,
  kDelta,  ///< DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT
};

struct LakeWriterOptions {
  LakeLayout layout = LakeLayout::kUpstream;
  std::string created_by = "parquet-rs version 58.4.0";

  // Ids.
  uint64_t first_id = 0;        ///< offset of the first batch of each partition
  uint64_t id_step = 1;         ///< distance of neighbouring ids
  double id_gaps = 0;           ///< probability of an extra gap of 1..50 in front of an id
  bool descending_ids = false;  ///< ids of a batch count down; upstream files cannot be joined then
  int duplicate_ids = 0;        ///< root rows in the whole lake that get the id of another root row
  int orphan_rows = 0;          ///< rows per child table and partition whose parent does not exist
  bool narrow_root_ids = false;  ///< root ids stored as UInt16. Errors: when one does not fit

  // Directories and files. Zero means no limit.
  int partition_levels = 1;  ///< 0: base/table/, 1: _part_id=.., 2: tenant=../_part_id=..
  int batches_per_partition = 0;
  int64_t root_rows_per_file = 0;   ///< a file is closed once it has that many rows
  int64_t child_rows_per_file = 0;  ///< the same for all other tables
  bool split_batches = false;       ///< files have exactly that many rows, else whole batches
                                    ///< (a limit of 1 row then means one batch per file)
  int64_t row_group_rows = 1 << 20;
  bool zero_row_files = false;  ///< one more file without rows in every folder

  // Rows and columns.
  ChildOrder child_order = ChildOrder::kAsGiven;
  bool omit_empty_columns = false;  ///< columns with nothing but nulls in a file
  bool extra_columns = false;       ///< columns unknown to the model, also inside resource
  bool shuffle_columns = false;     ///< order differs between files
  bool required_fields = false;     ///< columns that the model requires are non-nullable

  // Types.
  DictionaryForm dictionary = DictionaryForm::kAsGiven;
  bool large_lists = false;
  bool views = false;  ///< string_view and binary_view where the column is no dictionary
  arrow::TimeUnit::type time_unit = arrow::TimeUnit::NANO;
  std::string time_zone;

  /// Upstream layout only: trace_id and span_id of logs, links and exemplars are declared fixed
  /// binary but stored like byte arrays, as upstream leaves them (format reference 3.8). Not with
  /// delta encodings.
  bool malformed_ids = false;

  /// Upstream layout only: data points of a batch without point ids get id 0, as upstream fills
  /// them, instead of null (format reference P45). They cannot be told from a point of another
  /// batch whose id is 0.
  bool zero_point_ids = false;

  // Parquet.
  arrow::Compression::type compression = arrow::Compression::UNCOMPRESSED;
  ValueEncoding encoding = ValueEncoding::kDictionary;
  bool statistics = true;
  bool data_page_v2 = false;
  int64_t data_page_bytes = 1 << 20;
  int64_t rows_per_page = 20'000;
  bool page_index = true;
  bool bloom_filters = false;  ///< of trace ids
  bool store_arrow_schema = true;
};

struct WrittenFile {
  otap::TableKind table;
  std::string partition;  ///< key path below the table folder, "" when there is none
  std::string path;       ///< below the base
  int64_t rows = 0;
};

struct WrittenLake {
  std::vector<WrittenFile> files;           ///< in the order of their names' times
  std::map<otap::TableKind, int64_t> rows;  ///< orphans included
  std::map<otap::TableKind, int64_t> orphans;
  int64_t duplicate_ids = 0;
};

/// Writes the batches in their order as one tree below `base`, which is created. Batches of all
/// signals share one id generator per partition, by the rule of format reference 3.6. Equal
/// arguments give equal files.
///
/// In the upstream layout a batch without an exemplar value column gets zeros, as upstream writes
/// them: exemplars without value then read as 0 (RandomBatchOptions::valueless_exemplars).
/// Errors: Invalid when ids do not fit their columns or options contradict; errors of the file
/// system.
arrow::Result<WrittenLake> WriteLake(const std::filesystem::path& base,
                                     const std::vector<otap::BatchPtr>& batches,
                                     const LakeWriterOptions& options, uint64_t seed);

/// Draws a combination of all knobs that lose nothing and leave no bad rows: time unit, orphans,
/// repeated ids and descending ids stay at their defaults. Files are cut at a few hundred rows.
LakeWriterOptions RandomLakeOptions(LakeLayout layout, RandomEngine& rng);

/// Draws a combination as RandomLakeOptions does, of which every record comes back: files as the
/// exporter of the reference writes them, one batch a file, ids that count by one.
LakeWriterOptions JoinableUpstreamOptions(RandomEngine& rng);

/// Reads a tree of the own layout with Arrow's reader and no thought of cost: one batch per
/// partition and signal, with the ids of the files and whatever other columns they have. Fit for
/// CanonicalRecords only. Trees of the upstream layout come out right where every partition holds
/// one batch; malformed ids are repaired and padded exemplar values dropped, as format
/// reference 3.8 and 2.11 say.
arrow::Result<std::vector<otap::BatchPtr>> ReadLakeNaively(const std::filesystem::path& base);

}  // namespace df::testing
