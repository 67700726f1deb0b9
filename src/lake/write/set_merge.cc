#include "lake/write/set_merge.h"

#include <numeric>
#include <utility>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/properties.h>

#include "lake/format/parquet_exceptions.h"
#include "lake/write/file_schema.h"

namespace df::lake {
namespace {

using arrow::internal::checked_cast;

using IdDigests = SetMerge::IdDigests;

constexpr uint64_t kDigestPrime = 0x100000001b3;

/// Opens a Parquet file that verifies the checksums of its pages.
Result<std::unique_ptr<parquet::arrow::FileReader>> OpenReader(
    std::shared_ptr<arrow::io::RandomAccessFile> file) {
  parquet::ReaderProperties properties;
  properties.set_page_checksum_verification(true);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(std::move(file), properties));
  return builder.Build();
}

/// Goes on with a digest of ids in their order. A null is another value than any id.
void AddColumn(const arrow::ChunkedArray& column, uint64_t* digest) {
  for (const auto& chunk : column.chunks()) {
    const auto& ids = checked_cast<const arrow::UInt32Array&>(*chunk);
    for (int64_t row = 0; row < ids.length(); ++row) {
      const uint64_t value = ids.IsNull(row) ? uint64_t{UINT32_MAX} + 1 : ids.Value(row);
      *digest = (*digest ^ value) * kDigestPrime;
    }
  }
}

/// The columns that tie rows together.
constexpr std::array<const char*, 2> kIdColumns = {"id", "parent_id"};

void AddIds(const arrow::Table& rows, IdDigests* digests) {
  for (size_t i = 0; i < kIdColumns.size(); ++i) {
    if (const auto column = rows.GetColumnByName(kIdColumns[i]); column != nullptr) {
      AddColumn(*column, &(*digests)[i]);
    }
  }
}

/// Reads the ids of a whole file, a row group at a time.
Result<IdDigests> ReadIdDigests(std::shared_ptr<arrow::io::RandomAccessFile> file,
                                int64_t* num_rows) {
  ARROW_ASSIGN_OR_RAISE(const auto reader, OpenReader(std::move(file)));
  std::vector<int> columns;
  for (const char* name : kIdColumns) {
    if (const int column = reader->parquet_reader()->metadata()->schema()->ColumnIndex(name);
        column >= 0) {
      columns.push_back(column);
    }
  }
  IdDigests digests{};
  *num_rows = 0;
  for (int i = 0; i < reader->num_row_groups(); ++i) {
    *num_rows += reader->parquet_reader()->metadata()->RowGroup(i)->num_rows();
    ARROW_ASSIGN_OR_RAISE(const auto rows, reader->ReadRowGroup(i, columns));
    AddIds(*rows, &digests);
  }
  return digests;
}

}  // namespace

SetMerge::SetMerge(FileStore* target, const WriteOptions& options, std::string staging,
                   std::vector<StagedSet> sets)
    : options_(options),
      staging_(std::move(staging)),
      sets_(std::move(sets)),
      merged_(target, options, sets_.front().signal, sets_.front().partition,
              sets_.front().unix_millis, sets_.front().has_time_levels) {
  for (const StagedSet& set : sets_) {
    merged_.AddMerged(set.file_set);
  }
}

Result<bool> SetMerge::Step() {
  auto done = StepUnchecked();
  if (!done.ok()) {
    merged_.Remove();
  }
  return done;
}

Result<bool> SetMerge::StepUnchecked() {
  for (; table_ < otap::kTableCount; ++table_, set_ = 0) {
    while (set_ < sets_.size()) {
      const StagedSet& set = sets_[set_++];
      if (!set.files[table_].empty()) {
        ARROW_RETURN_NOT_OK(Take(set.files[table_], set.rows[table_]));
      }
      if (pending_bytes_ >= options_.row_group_bytes || pending_rows_ >= options_.row_group_rows) {
        ARROW_RETURN_NOT_OK(Flush());
        return false;
      }
    }
    if (pending_rows_ > 0) {
      ARROW_RETURN_NOT_OK(Flush());
      return false;
    }
  }
  ARROW_RETURN_NOT_OK(merged_.Sync());
  ARROW_RETURN_NOT_OK(Verify());
  ARROW_RETURN_NOT_OK(merged_.Show());
  return true;
}

/// Reads a file of a staged set, which is no larger than a row group.
Status SetMerge::Take(const std::string& path, int64_t num_rows) {
  const Location location{.file = path};
  return CatchParquet(location, [&]() -> Status {
    auto file = arrow::io::ReadableFile::Open(fmt::format("{}/{}", staging_, path));
    ARROW_RETURN_NOT_OK(WithContext(file.status(), ErrorKind::kIo, location, true));
    ARROW_ASSIGN_OR_RAISE(const auto reader, OpenReader(*std::move(file)));
    ARROW_ASSIGN_OR_RAISE(auto rows, reader->ReadTable());
    if (rows->num_rows() != num_rows) {
      return MakeError(ErrorKind::kMissingFile,
                       fmt::format("found {} rows, expected {}", rows->num_rows(), num_rows),
                       location);
    }
    AddIds(*rows, &id_digests_[table_]);
    pending_rows_ += num_rows;
    for (const auto& column : rows->columns()) {
      pending_bytes_ += arrow::util::ReferencedBufferSize(*column).ValueOr(0);
    }
    pending_.push_back(std::move(rows));
    return Status::OK();
  });
}

Status SetMerge::Flush() {
  ARROW_ASSIGN_OR_RAISE(const auto table, arrow::ConcatenateTables(pending_));
  pending_.clear();
  pending_rows_ = 0;
  pending_bytes_ = 0;
  ARROW_ASSIGN_OR_RAISE(const auto rows, table->CombineChunksToBatch());
  const otap::TableKind kind = otap::AllTables()[table_].kind;
  // Names of list items and keys of the footer differ, and mean nothing.
  return merged_.Write(
      kind, arrow::RecordBatch::Make(FileSchema(kind), rows->num_rows(), rows->columns()));
}

/// Reads back what ties rows together, before anybody sees it.
Status SetMerge::Verify() {
  for (const otap::TableInfo& info : otap::AllTables()) {
    const size_t index = otap::TableIndex(info.kind);
    const int64_t expected = std::accumulate(
        sets_.begin(), sets_.end(), int64_t{0},
        [index](int64_t sum, const StagedSet& set) { return sum + set.rows[index]; });
    if (expected == 0) {
      continue;
    }
    const Location location{.partition = sets_.front().partition,
                            .table = std::string(info.directory)};
    ARROW_ASSIGN_OR_RAISE(auto file, merged_.ReadBack(info.kind));
    int64_t num_rows = 0;
    IdDigests found{};
    ARROW_RETURN_NOT_OK(CatchParquet(location, [&]() -> Status {
      ARROW_ASSIGN_OR_RAISE(found, ReadIdDigests(std::move(file), &num_rows));
      return Status::OK();
    }));
    if (num_rows != expected || found != id_digests_[index]) {
      return MakeError(ErrorKind::kMissingFile,
                       fmt::format("the merged file has {} rows, expected {} with the ids of {} "
                                   "sets",
                                   num_rows, expected, sets_.size()),
                       location);
    }
  }
  return Status::OK();
}

}  // namespace df::lake
