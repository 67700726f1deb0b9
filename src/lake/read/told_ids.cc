#include "lake/read/told_ids.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "lake/catalog/readiness.h"
#include "lake/format/id_ranges.h"
#include "lake/scan/own_repeats.h"

namespace df::lake {

namespace {

/// Whether rows have no ids but zeros, and several: the filling of a missing column.
bool HasOnlyZeros(const ChildRows& rows) {
  int64_t num_zeros = 0;
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    const auto index = static_cast<size_t>(row);
    if (rows.id_states[index] != ChildRows::kNoId && rows.ids[index] != 0) {
      return false;
    }
    num_zeros += rows.id_states[index] != ChildRows::kNoId ? 1 : 0;
  }
  return num_zeros > 1;
}

}  // namespace

ToldIds::ToldIds(const PartitionFiles& files, otap::TableKind root, ReadContext* context)
    : files_(files), root_(root), context_(context), root_repeats_held_(context->budget) {}

template <typename Condition>
bool ToldIds::AnyChildFile(otap::TableKind kind, Condition&& holds) const {
  const auto& tables = otap::AllTables();
  return std::any_of(tables.begin(), tables.end(), [&](const otap::TableInfo& table) {
    const auto& files = files_.of(table.kind);
    return table.parent == kind &&
           std::any_of(files.begin(), files.end(), [&](const auto& file) { return holds(*file); });
  });
}

bool ToldIds::HasChildFiles(otap::TableKind kind) const {
  return AnyChildFile(kind, [](const FileSummary&) { return true; });
}

const RepeatedIds& ToldIds::FindRepeated(otap::TableKind kind) {
  std::optional<RepeatedIds>& repeated = repeated_[otap::TableIndex(kind)];
  if (!repeated.has_value()) {
    repeated.emplace(kind, HasChildFiles(kind) ? files_.of(kind) : std::vector<FileSummaryPtr>(),
                     context_);
  }
  return *repeated;
}

/// `is_repeated` tells of rows whose id another row of their row group has too.
template <typename IsValid, typename IsRepeated>
IdMap ToldIds::Map(otap::TableKind kind, const uint32_t* ids, int64_t count, IsValid&& is_valid,
                   IsRepeated&& is_repeated) {
  const RepeatedIds& elsewhere = FindRepeated(kind);
  LeftOut& left_out = left_out_now_[otap::TableIndex(kind)];
  std::vector<bool> is_told(static_cast<size_t>(count), false);
  for (int64_t row = 0; row < count; ++row) {
    if (is_valid(row) && (is_repeated(row) || elsewhere.Has(ids[row]))) {
      ++left_out.num_rows;
      left_out.num_zeros += ids[row] == 0 ? 1 : 0;
      Extend(&left_out.ids, ids[row]);
    } else {
      is_told[static_cast<size_t>(row)] = is_valid(row);
    }
  }
  return IdMap::Make(ids, count, [&](int64_t row) { return is_told[static_cast<size_t>(row)]; });
}

IdMap ToldIds::MapRoots(const RootRows& rows) {
  if (root_file_ != rows.file || root_group_ != rows.row_group) {
    root_file_ = rows.file;
    root_group_ = rows.row_group;
    CheckIdStatistics(*rows.file, rows.row_group, *rows.ids);
    root_repeats_ = FindOwnRepeats(*rows.ids, context_->budget);
    root_repeats_held_.Set(static_cast<int64_t>(root_repeats_.ids().size() * sizeof(uint32_t)));
  }
  const uint32_t* ids = rows.ids->values.data() + rows.first_row_of_group;
  auto is_valid = [&](int64_t row) { return rows.ids->is_valid(rows.first_row_of_group + row); };
  if (root_repeats_.empty() && FindRepeated(root_).empty()) {
    return IdMap::Make(ids, rows.num_rows, is_valid);
  }
  return Map(root_, ids, rows.num_rows, is_valid,
             [&](int64_t row) { return root_repeats_.Has(ids[row]); });
}

IdMap ToldIds::MapChildren(otap::TableKind kind, const ChildRows& rows) {
  auto state = [&](int64_t row) { return rows.id_states[static_cast<size_t>(row)]; };
  auto is_valid = [&](int64_t row) { return state(row) != ChildRows::kNoId; };
  if (!HasChildFiles(kind) && HasOnlyZeros(rows)) {
    return IdMap::Make(rows.ids.data(), rows.num_rows(), [](int64_t) { return false; });
  }
  const bool has_repeated =
      !rows.id_states.empty() &&
      std::memchr(rows.id_states.data(), ChildRows::kRepeatedId, rows.id_states.size()) != nullptr;
  if (!has_repeated && FindRepeated(kind).empty()) {
    return IdMap::Make(rows.ids.data(), rows.num_rows(), is_valid);
  }
  return Map(kind, rows.ids.data(), rows.num_rows(), is_valid,
             [&](int64_t row) { return state(row) == ChildRows::kRepeatedId; });
}

void ToldIds::Commit() {
  for (size_t table = 0; table < left_out_.size(); ++table) {
    const LeftOut& now = left_out_now_[table];
    left_out_[table].num_rows += now.num_rows;
    left_out_[table].num_zeros += now.num_zeros;
    Extend(&left_out_[table].ids, now.ids);
  }
  left_out_now_ = {};
}

/// Where statistics have hidden an id that comes twice, rows may have gone out with the children of
/// others before that was seen.
void ToldIds::NameWrongStatistics(otap::TableKind kind) const {
  const auto& before = repeated_[otap::TableIndex(kind)];
  const auto& files = files_.of(kind);
  const auto wrong = std::find_if(files.begin(), files.end(), [](const FileSummaryPtr& file) {
    return file->has_wrong_id_statistics.load();
  });
  if (wrong == files.end() || !before.has_value() || !HasChildFiles(kind)) {
    return;
  }
  const RepeatedIds now(kind, files, context_);
  if (const int64_t num_ids = now.CountNewSince(*before); num_ids > 0) {
    context_->report->Add(MakeError(
        ErrorKind::kReconstruction,
        fmt::format("the statistics of id are wrong, which was seen too late: rows of {} ids that "
                    "come more than once may have gone out with the children of each other",
                    num_ids),
        {.partition = context_->partition,
         .table = std::string(otap::GetTable(kind).directory),
         .file = (*wrong)->entry.path}));
  }
}

void ToldIds::Name() {
  for (const otap::TableInfo& table : otap::AllTables()) {
    NameWrongStatistics(table.kind);
    const LeftOut& left_out = left_out_[otap::TableIndex(table.kind)];
    if (left_out.num_rows == 0) {
      continue;
    }
    // Zeros may be the filling of a column that is missing: where no child means one, nothing is
    // lost.
    const bool means_zero =
        AnyChildFile(table.kind, [](const FileSummary& file) { return MayReferTo(file, {0, 0}); });
    const int64_t num_rows = left_out.num_rows - (means_zero ? 0 : left_out.num_zeros);
    if (num_rows > 0) {
      context_->report->table(table.kind).duplicate_ids += num_rows;
      context_->report->Add(MakeError(
          ErrorKind::kReconstruction,
          fmt::format("{} rows have an id that other rows of the table have too, or may have ({}), "
                      "and go out without children: whose those are cannot be told",
                      num_rows, ToText(left_out.ids)),
          {.partition = context_->partition, .table = std::string(table.directory), .file = ""}));
    }
  }
}

}  // namespace df::lake
