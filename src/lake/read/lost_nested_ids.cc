#include "lake/read/lost_nested_ids.h"

#include <algorithm>

#include <fmt/format.h>

#include "lake/catalog/readiness.h"
#include "lake/scan/unreferred_attributes.h"

namespace df::lake {
namespace {

constexpr std::array kNestedTables = {otap::TableKind::kResourceAttrs,
                                      otap::TableKind::kScopeAttrs};

}  // namespace

void LostNestedIds::Note(const RootRows& rows, const NestedIds& nested) {
  Seen seen{.file = rows.file};
  const std::array columns = {nested.resource_ids(), nested.scope_ids()};
  for (size_t t = 0; t < columns.size(); ++t) {
    seen.num_bare[t] = columns[t] == nullptr ? rows.num_rows : columns[t]->null_count();
    seen.has_ids[t] = seen.num_bare[t] < rows.num_rows;
  }
  now_.push_back(std::move(seen));
}

void LostNestedIds::Commit() {
  for (Seen& now : now_) {
    if (seen_.empty() || seen_.back().file != now.file) {
      seen_.push_back(std::move(now));
      continue;
    }
    for (size_t t = 0; t < kNestedTables.size(); ++t) {
      seen_.back().has_ids[t] = seen_.back().has_ids[t] || now.has_ids[t];
      seen_.back().num_bare[t] += now.num_bare[t];
    }
  }
  now_.clear();
}

void LostNestedIds::Name(const PartitionTask& task, const std::vector<otap::Signal>& signals,
                         const ReadContext& context) const {
  for (size_t t = 0; t < kNestedTables.size(); ++t) {
    const auto& files = task.files->of(kNestedTables[t]);
    const bool is_keyed = std::any_of(files.begin(), files.end(), [](const FileSummaryPtr& file) {
      return file->has_partition_scope_ids;
    });
    const FileSummary* first = nullptr;
    const FileSummary* first_in_part = nullptr;
    int64_t num_files = 0;
    int64_t num_rows = 0;  // in files where others have one
    for (const Seen& seen : seen_) {
      const bool is_part = seen.has_ids[t] && seen.num_bare[t] > 0;
      first = first == nullptr && !seen.has_ids[t] ? seen.file.get() : first;
      first_in_part = first_in_part == nullptr && is_part ? seen.file.get() : first_in_part;
      num_files += seen.has_ids[t] ? 0 : 1;
      num_rows += is_part ? seen.num_bare[t] : 0;
    }
    if (num_files > 0 && !files.empty()) {
      NameLoss({kNestedTables[t], num_files == 1 ? "" : fmt::format(" in {} files", num_files),
                first, num_files},
               task, signals, context);
    } else if (num_rows > 0 && is_keyed) {
      NameLoss({kNestedTables[t], fmt::format(" in {} rows", num_rows), first_in_part, 1}, task,
               signals, context);
    }
  }
}

void LostNestedIds::NameLoss(const Loss& loss, const PartitionTask& task,
                             const std::vector<otap::Signal>& signals, const ReadContext& context) {
  const Location location{
      .partition = context.partition,
      .table = std::string(otap::GetTable(otap::RootTable(task.signal)).directory),
      .file = loss.first->entry.path};
  const auto unreferred = FindUnreferredAttributes(*task.files, loss.kind, signals, context);
  if (!unreferred.ok()) {
    context.report->AddNotice(MakeError(
        ErrorKind::kReconstruction,
        fmt::format("column {}: found no value{}, and whether rows of {} are meant cannot be told "
                    "({})",
                    loss.kind == otap::TableKind::kResourceAttrs ? "resource.id" : "scope.id",
                    loss.where, otap::GetTable(loss.kind).directory, unreferred.status().message()),
        location));
    return;
  }
  if (unreferred->num_rows == 0) {
    return;
  }
  const Status status = DescribeLostIds(loss.kind, loss.where, *unreferred, location);
  const bool is_whole = std::all_of(task.taken.begin(), task.taken.end(),
                                    [](const RowRanges& taken) { return taken.empty(); });
  if (task.is_partial || !is_whole) {  // rows that they belong to may go out at another time
    context.report->AddNotice(status);
  } else {
    context.report->Add(status, loss.num_files);
  }
}

}  // namespace df::lake
