#include "lake/expected_children.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <fmt/format.h>

namespace df::lake {
namespace {

using otap::TableKind;

/// A shorter stretch of rows without children is never worth a line.
constexpr int64_t kShortestStretch = 16;
/// Where fewer rows have children, that some have none says nothing.
constexpr double kUsualShare = 0.9;
/// Chance that a stretch as long as the one found stands anywhere although nothing is missing.
constexpr double kMostChance = 1e-6;

/// Returns the table in which metrics of a type have their data points.
std::optional<TableKind> PointsOf(uint8_t metric_type) {
  switch (metric_type) {
    case 1:
    case 2:
      return TableKind::kNumberDataPoints;
    case 3:
      return TableKind::kHistogramDataPoints;
    case 4:
      return TableKind::kExpHistogramDataPoints;
    case 5:
      return TableKind::kSummaryDataPoints;
    default:
      return std::nullopt;
  }
}

bool IsPoints(TableKind table) {
  return table == TableKind::kNumberDataPoints || table == TableKind::kHistogramDataPoints ||
         table == TableKind::kExpHistogramDataPoints || table == TableKind::kSummaryDataPoints;
}

/// Whether some parents must have a row in the table.
bool IsExpected(TableKind table) { return table == TableKind::kLogAttrs || IsPoints(table); }

}  // namespace

void ExpectedChildren::Begin(const RootRows& rows, const IdMap& map) {
  rows_ = &rows;
  SetParents(root_,
             std::span(rows.ids->values)
                 .subspan(static_cast<size_t>(rows.first_row_of_group),
                          static_cast<size_t>(rows.num_rows)),
             map);
  metric_types_ = nullptr;
  if (root_ == TableKind::kUnivariateMetrics) {
    const auto leaf = static_cast<size_t>(LeafIndex(root_, "metric_type"));
    metric_types_ = rows.slice->leaves[leaf].values.get();
  }
  for (Marks& marks : marks_) {
    marks.is_marked = false;
  }
}

void ExpectedChildren::SetParents(TableKind table, std::span<const uint32_t> ids,
                                  const IdMap& map) {
  parents_[otap::TableIndex(table)] = {ids, &map};
}

bool ExpectedChildren::MustHave(TableKind table, int64_t row) const {
  if (table == TableKind::kLogAttrs) {
    return true;
  }
  const int64_t at = rows_->offset + row;
  return metric_types_ != nullptr && metric_types_->type_id() == arrow::Type::UINT8 &&
         metric_types_->IsValid(at) &&
         PointsOf(static_cast<const arrow::UInt8Array*>(metric_types_)->Value(at)) == table;
}

int64_t ExpectedChildren::Mark(TableKind table, std::span<const uint32_t> parents) {
  Marks& marks = marks_[otap::TableIndex(table)];
  marks.is_marked = true;
  const IdMap& map = *ParentsOf(table).map;
  marks.has_child.assign(static_cast<size_t>(map.num_ids()), 0);
  for (const uint32_t parent : parents) {
    marks.has_child[parent] = 1;
  }
  if (!IsExpected(table)) {
    return 0;
  }
  int64_t num_missing = 0;
  for (int64_t row = 0; row < rows_->num_rows; ++row) {
    const int32_t id = map.by_row()[static_cast<size_t>(row)];
    if (id >= 0 && marks.has_child[static_cast<size_t>(id)] == 0 && MustHave(table, row)) {
      ++num_missing;
    }
  }
  return num_missing;
}

void ExpectedChildren::Commit() {
  for (size_t table = 0; table < marks_.size(); ++table) {
    if (!marks_[table].is_marked) {
      continue;
    }
    const TableKind kind = otap::AllTables()[table].kind;
    const bool is_expected = IsExpected(kind);
    Sums& sums = sums_[table];
    const Parents& parents = ParentsOf(kind);
    for (size_t row = 0; row < parents.ids.size(); ++row) {
      const int32_t id = parents.map->by_row()[row];
      if (id < 0) {
        continue;
      }
      if (marks_[table].has_child[static_cast<size_t>(id)] != 0) {
        ++sums.num_with;
        sums.current = {};
        continue;
      }
      const uint32_t old_id = parents.ids[row];
      ++sums.num_without;
      ++sums.current.num_rows;
      Extend(&sums.current.ids, old_id);
      if (sums.current.num_rows > sums.longest.num_rows) {
        sums.longest = sums.current;
      }
      if (is_expected && MustHave(kind, static_cast<int64_t>(row))) {
        ++sums.missing.num_rows;
        Extend(&sums.missing.ids, old_id);
      }
    }
  }
}

std::optional<Status> ExpectedChildren::Describe(TableKind table,
                                                 const std::string& partition) const {
  const Sums& sums = sums_[otap::TableIndex(table)];
  const std::string_view name = otap::GetTable(table).directory;
  const std::string_view root =
      otap::GetTable(otap::GetTable(table).parent.value_or(root_)).directory;
  const Location location{.partition = partition, .table = std::string(name), .file = ""};
  if (IsExpected(table)) {
    if (sums.missing.num_rows == 0) {
      return std::nullopt;
    }
    return MakeError(
        ErrorKind::kMissingFile,
        table == TableKind::kLogAttrs
            ? fmt::format("found no row of {} for {} rows of {} that have an id ({}), expected at "
                          "least one for each: a file of {} is missing",
                          name, sums.missing.num_rows, root, ToText(sums.missing.ids), name)
            : fmt::format("found no data point in {} for {} rows of {} of its type ({}): a file "
                          "may be missing",
                          name, sums.missing.num_rows, root, ToText(sums.missing.ids)),
        location);
  }
  const Stretch& longest = sums.longest;
  const auto others = static_cast<double>(sums.num_with + sums.num_without - longest.num_rows);
  const double share = (static_cast<double>(sums.num_with) + 1) / (others + 2);
  if (sums.num_with == 0 || longest.num_rows < kShortestStretch || share < kUsualShare ||
      others * std::pow(1 - share, static_cast<double>(longest.num_rows)) > kMostChance) {
    return std::nullopt;
  }
  return MakeError(ErrorKind::kMissingFile,
                   fmt::format("found no row of {} for {} rows of {} in succession ({}), while {} "
                               "of the other {} have one: a file may be missing",
                               name, longest.num_rows, root, ToText(longest.ids), sums.num_with,
                               static_cast<int64_t>(others)),
                   location);
}

void ExpectedChildren::Name(const std::string& partition,
                            const std::array<bool, otap::kTableCount>& is_unreadable,
                            ReadReport* report) const {
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (is_unreadable[otap::TableIndex(table.kind)]) {
      continue;
    }
    const std::optional<Status> found = Describe(table.kind, partition);
    if (!found.has_value()) {
      continue;
    }
    if (table.kind == TableKind::kLogAttrs) {
      report->Add(*found);
    } else {
      report->AddNotice(*found);
    }
  }
}

}  // namespace df::lake
