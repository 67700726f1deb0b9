#include "lake/catalog/file_summary.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include "lake/catalog/event_times.h"
#include "lake/catalog/footer_cache.h"
#include "lake/catalog/schema_registry.h"
#include "lake/catalog/set_aside.h"
#include "lake/format/own_keys.h"
#include "storage/store_failure.h"

namespace df::lake {
namespace {

/// "log_attrs=12,resource_attrs=3". What is not of that form says nothing.
void ReadFileSet(const arrow::KeyValueMetadata& keys, FileSummary* summary) {
  summary->file_set = keys.Get(kFileSetKey).ValueOr("");
  const auto text = keys.Get(kRowsOfSetKey);
  if (summary->file_set.empty() || !text.ok()) {
    return;
  }
  std::vector<std::pair<otap::TableKind, int64_t>> rows;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const size_t equals = std::min(part.find('='), part.size());
    const otap::TableInfo* table = otap::FindTable(part.substr(0, equals));
    const std::string_view number = part.substr(std::min(equals + 1, part.size()));
    int64_t count = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (table == nullptr || error != std::errc() || end != number.data() + number.size()) {
      return;
    }
    rows.emplace_back(table->kind, count);
  }
  summary->rows_of_set = std::move(rows);
}

}  // namespace

std::optional<IdRange> IdsOf(const FileSummary& file) {
  IdRange range = kEmptyIdRange;
  for (const RowGroupSummary& group : file.row_groups) {
    if (!group.ids.has_value()) {
      return std::nullopt;
    }
    range = {std::min(range.min, group.ids->min), std::max(range.max, group.ids->max)};
  }
  return range.min > range.max ? std::nullopt : std::optional(range);
}

void ReportLayout(const FileSummary& file, ReadReport* report) {
  report->repaired_columns += file.num_repaired_columns;
  for (const Status& notice : file.notices) {
    report->AddNotice(notice);
  }
  for (const Status& problem : file.problems) {
    report->Add(problem);
  }
}

std::string FullPath(const std::string& base, const std::string& path) {
  return base.empty() || base.back() == '/' ? base + path : base + "/" + path;
}

namespace {

/// Opens a file of a listing, also where a compaction has set it aside since.
Result<std::shared_ptr<TableFile>> OpenListed(storage::Store& store, const std::string& base,
                                              const FileEntry& entry, otap::TableKind kind,
                                              const Location& location) {
  auto file = TableFile::Open(store, FullPath(base, entry.path), kind, location);
  if (file.ok() || !store.is_local() || store.Exists(FullPath(base, entry.path)).ValueOr(true)) {
    return file;
  }
  const auto path = FindSetAside(store, base, entry.path);
  if (!path.has_value()) {
    return file;
  }
  auto aside = TableFile::Open(store, *path, kind, location);
  // Of one that is gone by now, or was another all along, the listed name is what is missing.
  return aside.ok() && (*aside)->footer().file_size_bytes == entry.size_bytes ? aside : file;
}

}  // namespace

Result<FileSummaryPtr> Summarise(storage::Store& store, const std::string& base,
                                 const FileEntry& entry, otap::TableKind kind,
                                 const std::string& partition, SchemaRegistry* schemas) {
  const Location location{.partition = partition,
                          .table = std::string(otap::GetTable(kind).directory),
                          .file = entry.path};
  ARROW_ASSIGN_OR_RAISE(const auto file, OpenListed(store, base, entry, kind, location));
  auto summary = std::make_shared<FileSummary>();
  summary->kind = kind;
  summary->entry = entry;
  summary->digest = file->footer().digest;
  summary->version = file->version();
  if (schemas != nullptr) {
    summary->schema = schemas->Intern(SchemaOf(kind, *file->footer().metadata));
  }
  summary->has_partition_scope_ids = file->has_partition_scope_ids();
  summary->is_parquet_rs = file->is_parquet_rs();
  summary->num_repaired_columns = file->footer().num_repaired_columns;
  if (const auto& keys = file->footer().metadata->key_value_metadata(); keys != nullptr) {
    ReadFileSet(*keys, summary.get());
    summary->holds_dead_letters = keys->Get(kDeadLettersKey).ValueOr("") == kDeadLetters;
  }
  summary->notices = file->layout().notices;
  summary->problems = file->layout().problems;
  const int id = LeafIndex(kind, "id");
  const int parent_id = LeafIndex(kind, "parent_id");
  for (int i = 0; i < file->num_row_groups(); ++i) {
    RowGroupSummary group;
    group.num_rows = file->num_rows(i);
    group.num_bytes = file->stored_bytes(i);
    if (id >= 0) {
      group.ids = file->Statistics(i, id);
    }
    if (parent_id >= 0) {
      group.parent_ids = file->Statistics(i, parent_id);
      // No exporter writes a parent_id that is always null: whoever says so may have written
      // statistics that are wrong, and believing them would save nothing.
      group.claims_null_parents =
          group.parent_ids.has_value() && group.parent_ids->min > group.parent_ids->max;
      if (group.claims_null_parents) {
        group.parent_ids = std::nullopt;
      }
    }
    if (otap::GetTable(kind).is_root()) {
      const int resource_id = LeafIndex(kind, "resource", "id");
      const int scope_id = LeafIndex(kind, "scope", "id");
      group.resource_ids = resource_id < 0 ? std::nullopt : file->Statistics(i, resource_id);
      group.scope_ids = scope_id < 0 ? std::nullopt : file->Statistics(i, scope_id);
    }
    if (HasEventTimes(kind)) {
      group.times = EventTimesOf(*file, i);
    }
    summary->row_groups.push_back(group);
  }
  return std::static_pointer_cast<const FileSummary>(summary);
}

Status CheckNumRows(const FileSummary& file, const FileEntry& entry, const Location& location) {
  if (entry.num_rows < 0 || entry.num_rows == file.num_rows()) {
    return Status::OK();
  }
  return MakeError(ErrorKind::kFileDiscovery,
                   fmt::format("found {} rows, expected {} as the list of files says: the file is "
                               "not read",
                               file.num_rows(), entry.num_rows),
                   location);
}

Result<std::shared_ptr<TableFile>> OpenSummarised(storage::Store& store, const std::string& base,
                                                  const FileSummary& summary,
                                                  const Location& location) {
  ARROW_ASSIGN_OR_RAISE(auto file, OpenListed(store, base, summary.entry, summary.kind, location));
  if (file->footer().digest != summary.digest) {
    if (const auto cache = summary.cache.lock(); cache != nullptr) {
      cache->Forget(summary.entry.path);
    }
    return MakeError(ErrorKind::kIo,
                     fmt::format("{}: it has another footer now", storage::kReplacedText), location,
                     /*retryable=*/true);
  }
  // The footer may be the same.
  size_t first = 0;
  if (!summary.version.compare_exchange_strong(first, file->version()) && file->version() != 0 &&
      first != file->version()) {
    return MakeError(ErrorKind::kIo,
                     fmt::format("{}: it is another version now", storage::kReplacedText), location,
                     /*retryable=*/true);
  }
  return file;
}

}  // namespace df::lake
