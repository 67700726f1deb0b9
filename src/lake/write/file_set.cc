#include "lake/write/file_set.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lake/catalog/file_summary.h"
#include "lake/format/own_keys.h"
#include "lake/write/partition_ids.h"
#include "lake/write/staging_area.h"

namespace df::lake {
namespace {

/// Positions of all tables, each behind every table that refers to it.
std::vector<size_t> ChildrenFirst() {
  std::vector<size_t> order;
  const auto& tables = otap::AllTables();
  for (const bool is_root : {false, true}) {
    for (size_t i = tables.size(); i-- > 0;) {
      if (tables[i].is_root() == is_root) {
        order.push_back(i);
      }
    }
  }
  return order;
}

}  // namespace

FileSet::FileSet(FileStore* store, const WriteOptions& options, otap::Signal signal,
                 std::string partition, int64_t unix_millis, bool has_time_levels,
                 StagingArea* staging)
    : store_(store),
      options_(options),
      signal_(signal),
      partition_(std::move(partition)),
      unix_millis_(unix_millis),
      has_time_levels_(has_time_levels),
      staging_(staging) {}

Result<FileSet::Prepared> FileSet::Prepare(const otap::Batch& batch, uint32_t first_id) {
  Prepared prepared{
      .rows = {}, .num_root_rows = batch.num_root_rows(), .size_bytes = batch.size_bytes()};
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (const auto& rows = batch.table(info.kind); rows != nullptr) {
      ARROW_ASSIGN_OR_RAISE(BatchRows apart, TakeApart(info.kind, rows, first_id));
      if (info.kind == otap::TableKind::kLogs) {
        ARROW_RETURN_NOT_OK(NullBareIds(batch.table(otap::TableKind::kLogAttrs), first_id, &apart));
      }
      prepared.rows.emplace_back(otap::TableIndex(info.kind), std::move(apart));
    }
  }
  return prepared;
}

Status FileSet::Add(const otap::Batch& batch, uint32_t first_id) {
  ARROW_ASSIGN_OR_RAISE(Prepared prepared, Prepare(batch, first_id));
  Add(std::move(prepared));
  return Status::OK();
}

void FileSet::Add(Prepared batch) {
  for (auto& [index, rows] : batch.rows) {
    Table& table = tables_[index];
    table.num_pending += rows.data->num_rows();
    largest_pending_rows_ = std::max(largest_pending_rows_, table.num_pending);
    table.pending.push_back(std::move(rows));
  }
  num_root_rows_ += batch.num_root_rows;
  pending_bytes_ += batch.size_bytes;
}

Status FileSet::Encode() {
  for (const otap::TableInfo& info : otap::AllTables()) {
    Table& table = tables_[otap::TableIndex(info.kind)];
    if (!table.pending.empty()) {
      ARROW_RETURN_NOT_OK(EncodeTable(info, &table));
    }
  }
  pending_bytes_ = 0;
  largest_pending_rows_ = 0;
  return Status::OK();
}

Status FileSet::EncodeTable(const otap::TableInfo& info, Table* table) {
  ARROW_ASSIGN_OR_RAISE(const auto rows, PutTogether(info.kind, table->pending));
  table->pending.clear();
  table->num_pending = 0;
  if (table->writer == nullptr) {
    ARROW_RETURN_NOT_OK(OpenTable(info, rows->num_rows(), table));
  }
  return table->writer->Write(rows);
}

Status FileSet::Write(otap::TableKind kind, const std::shared_ptr<arrow::RecordBatch>& rows) {
  const otap::TableInfo& info = otap::GetTable(kind);
  Table& table = tables_[otap::TableIndex(kind)];
  if (table.writer == nullptr) {
    ARROW_RETURN_NOT_OK(OpenTable(info, rows->num_rows(), &table));
  }
  num_root_rows_ += info.is_root() ? rows->num_rows() : 0;
  return table.writer->Write(rows);
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> FileSet::ReadBack(otap::TableKind kind) {
  const Table& table = tables_[otap::TableIndex(kind)];
  return table.file == nullptr ? MakeError(ErrorKind::kIo, "nothing was written",
                                           {.partition = partition_,
                                            .table = std::string(otap::GetTable(kind).directory)})
                               : table.file->ReadBack();
}

std::optional<StagedSet> FileSet::staged() const {
  if (!is_staged_) {
    return std::nullopt;
  }
  StagedSet set{.file_set = file_set_,
                .signal = signal_,
                .partition = partition_,
                .has_time_levels = has_time_levels_,
                .unix_millis = unix_millis_,
                .files = {},
                .rows = {},
                .size_bytes = 0};
  for (size_t i = 0; i < tables_.size(); ++i) {
    if (tables_[i].writer != nullptr) {
      set.files[i] = tables_[i].path;
      set.rows[i] = tables_[i].writer->num_rows();
      set.size_bytes += tables_[i].writer->size_bytes();
    }
  }
  return set;
}

Status FileSet::OpenTable(const otap::TableInfo& info, int64_t num_rows, Table* table) {
  const std::string directory = partition_.empty()
                                    ? std::string(info.directory)
                                    : fmt::format("{}/{}", info.directory, partition_);
  if (has_time_levels_ && !is_staged_) {
    ARROW_RETURN_NOT_OK(store_->MarkTimeLevels(std::string(info.directory)));
  }
  const std::string name = fmt::format("part-{}-{}.parquet", unix_millis_, RandomUuid());
  ARROW_ASSIGN_OR_RAISE(table->file, store_->Create(directory, name));
  table->path = fmt::format("{}/{}", directory, name);
  const Location location{
      .partition = partition_, .table = std::string(info.directory), .file = name};
  const int64_t row_group_rows = std::min(num_rows, options_.row_group_rows);
  ARROW_ASSIGN_OR_RAISE(table->writer, TableWriter::Make(info.kind, options_, row_group_rows,
                                                         table->file->stream(), location));
  return Status::OK();
}

Status FileSet::Publish() {
  Status status = Sync();
  if (status.ok()) {
    status = Show();
  }
  if (!status.ok()) {
    Remove();
  }
  return status;
}

/// Writes into each file which set it is of, and into that of the roots what else there is of it: a
/// reader knows so whether everything has arrived, whatever the order in which files are copied.
Status FileSet::NameSet() {
  file_set_ = RandomUuid();
  std::string rows;
  for (const otap::TableInfo& info : otap::AllTables()) {
    const Table& table = tables_[otap::TableIndex(info.kind)];
    if (table.writer != nullptr) {
      ARROW_RETURN_NOT_OK(table.writer->AddKey(kFileSetKey, file_set_));
      if (!info.is_root()) {
        rows += fmt::format("{}{}={}", rows.empty() ? "" : ",", info.directory,
                            table.writer->num_rows());
      }
    }
  }
  const Table& roots = tables_[otap::TableIndex(otap::RootTable(signal_))];
  if (roots.writer == nullptr) {
    return Status::OK();
  }
  if (!merged_sets_.empty()) {
    ARROW_RETURN_NOT_OK(
        roots.writer->AddKey(kMergedSetsKey, fmt::format("{}", fmt::join(merged_sets_, ","))));
  }
  return roots.writer->AddKey(kRowsOfSetKey, rows);
}

Status FileSet::Sync() {
  const bool is_begun = std::any_of(tables_.begin(), tables_.end(),
                                    [](const Table& table) { return table.writer != nullptr; });
  if (staging_ != nullptr && !is_begun) {
    ARROW_ASSIGN_OR_RAISE(store_, staging_->Open());
    is_staged_ = true;
  }
  ARROW_RETURN_NOT_OK(Encode());
  ARROW_RETURN_NOT_OK(NameSet());
  for (Table& table : tables_) {
    if (table.writer != nullptr) {
      ARROW_RETURN_NOT_OK(table.writer->Close());
      ARROW_RETURN_NOT_OK(table.file->Sync());
    }
  }
  return Status::OK();
}

Status FileSet::Show() {
  for (const size_t index : ChildrenFirst()) {
    if (tables_[index].file != nullptr) {
      ARROW_RETURN_NOT_OK(tables_[index].file->Publish());
    }
  }
  return Status::OK();
}

void FileSet::Remove() {
  // Parents first: a child without parent is less harm than a parent without its children.
  const std::vector<size_t> order = ChildrenFirst();
  for (size_t i = order.size(); i-- > 0;) {
    if (tables_[order[i]].file != nullptr) {
      tables_[order[i]].file->Remove();
    }
  }
}

int64_t FileSet::largest_file_bytes() const {
  int64_t largest = 0;
  for (const Table& table : tables_) {
    largest = std::max(largest, table.writer == nullptr ? 0 : table.writer->size_bytes());
  }
  return largest;
}

FileCounts FileSet::counts() const {
  FileCounts counts;
  for (const Table& table : tables_) {
    if (table.writer != nullptr && !is_staged_) {
      ++counts.files;
      counts.rows += table.writer->num_rows();
      counts.bytes += table.writer->size_bytes();
    }
  }
  return counts;
}

}  // namespace df::lake
