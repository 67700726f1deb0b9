#include "lake/read/expected_children.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <fmt/format.h>

#include "otap/misplaced_points.h"

namespace df::lake {
namespace {

using otap::TableKind;

/// A shorter stretch of rows without children is never worth a line.
constexpr int64_t kShortestStretch = 16;
/// Where fewer rows have children, that some have none says nothing.
constexpr double kUsualShare = 0.9;
/// Chance that a stretch as long as the one found stands anywhere although nothing is missing.
constexpr double kMostChance = 1e-6;

constexpr uint8_t kNoTable = UINT8_MAX;

bool IsPoints(TableKind table) {
  return table == TableKind::kNumberDataPoints || table == TableKind::kHistogramDataPoints ||
         table == TableKind::kExpHistogramDataPoints || table == TableKind::kSummaryDataPoints;
}

bool IsNested(TableKind table) {
  return table == TableKind::kResourceAttrs || table == TableKind::kScopeAttrs;
}

/// So many root files whose resources or scopes have attributes make one without any worth a line.
constexpr int64_t kLeastPairs = 3;

/// Whether some parents must have a row in the table.
bool IsExpected(TableKind table) { return table == TableKind::kLogAttrs || IsPoints(table); }

}  // namespace

void ExpectedChildren::UseFiles(const PartitionFiles& files) {
  const auto& roots = files.of(root_);
  if (std::all_of(roots.begin(), roots.end(),
                  [](const FileSummaryPtr& root) { return root->rows_of_set.has_value(); })) {
    are_counted_ = !roots.empty();
    return;
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    const bool is_of_root = (table.signals & otap::GetTable(root_).signals) != 0;
    if (is_of_root && !table.is_root() && !IsExpected(table.kind) &&
        !files.of(table.kind).empty()) {
      gaps_[otap::TableIndex(table.kind)].emplace(files.of(table.kind));
    }
  }
}

void ExpectedChildren::Begin(const RootRows& rows, const IdMap& map) {
  num_rows_ = rows.num_rows;
  file_ = rows.file;
  SetParents(root_,
             std::span(rows.ids->values)
                 .subspan(static_cast<size_t>(rows.first_row_of_group),
                          static_cast<size_t>(rows.num_rows)),
             map);
  if (root_ == TableKind::kUnivariateMetrics) {
    points_of_row_.assign(static_cast<size_t>(rows.num_rows), kNoTable);
    const auto leaf = static_cast<size_t>(LeafIndex(root_, "metric_type"));
    const arrow::Array* values = rows.slice->leaves[leaf].values.get();
    if (values != nullptr && values->type_id() == arrow::Type::UINT8) {
      const auto& types = static_cast<const arrow::UInt8Array&>(*values);
      for (int64_t row = 0; row < rows.num_rows; ++row) {
        if (types.IsValid(rows.offset + row)) {
          const auto table = otap::PointsOfType(types.Value(rows.offset + row));
          points_of_row_[static_cast<size_t>(row)] =
              table.has_value() ? static_cast<uint8_t>(*table) : kNoTable;
        }
      }
    }
  }
  for (Marks& marks : marks_) {
    marks.is_marked = false;
  }
}

void ExpectedChildren::SetParents(TableKind table, std::span<const uint32_t> ids,
                                  const IdMap& map) {
  parents_[otap::TableIndex(table)] = {ids, &map};
}

int64_t ExpectedChildren::Mark(TableKind table, std::span<const uint32_t> parents) {
  Marks& marks = marks_[otap::TableIndex(table)];
  const IdMap& map = *ParentsOf(table).map;
  marks.is_marked = true;
  marks.num_missing = 0;
  marks.has_child.assign(static_cast<size_t>(map.num_ids()), 0);
  size_t at = 0;
  for (; at + 4 <= parents.size(); at += 4) {  // there are many more children than parents
    marks.has_child[parents[at]] = 1;
    marks.has_child[parents[at + 1]] = 1;
    marks.has_child[parents[at + 2]] = 1;
    marks.has_child[parents[at + 3]] = 1;
  }
  for (; at < parents.size(); ++at) {
    marks.has_child[parents[at]] = 1;
  }
  marks.num_with = std::count(marks.has_child.begin(), marks.has_child.end(), 1);
  if (!IsExpected(table) || marks.num_with == map.num_ids()) {
    return 0;
  }
  for (int64_t row = 0; row < num_rows_; ++row) {
    const int32_t id = map.by_row()[static_cast<size_t>(row)];
    if (MustHave(table, row) && id >= 0 && marks.has_child[static_cast<size_t>(id)] == 0) {
      ++marks.num_missing;
    }
  }
  return marks.num_missing;
}

void ExpectedChildren::Commit() {
  for (const otap::TableInfo& table : otap::AllTables()) {
    const Marks& marks = marks_[otap::TableIndex(table.kind)];
    AddReferences(table.kind);
    if (!marks.is_marked) {
      continue;
    }
    Sums& sums = sums_[otap::TableIndex(table.kind)];
    const Parents& parents = ParentsOf(table.kind);
    const int64_t num_without = parents.map->num_ids() - marks.num_with;
    sums.num_with += marks.num_with;
    sums.num_without += num_without;
    if (marks.num_missing > 0) {
      AddMissing(table.kind, marks, &sums);
    }
    if (IsExpected(table.kind)) {
      continue;  // the rows that miss some are named, not stretches
    }
    if (num_without > 0) {
      AddStretches(parents, marks, &sums);
    } else if (marks.num_with > 0) {
      sums.current = {};
    }
    if (auto& gaps = gaps_[otap::TableIndex(table.kind)]; gaps.has_value()) {
      std::vector<uint32_t> chosen;
      gaps->Add(file_, OldIds(parents, marks, &chosen), marks.num_with);
    }
  }
}

/// Rows of the next payloads refer to the same resources: an id counts when it is the largest so
/// far.
void ExpectedChildren::AddReferences(TableKind table) {
  const size_t index = otap::TableIndex(table);
  if (!gaps_[index].has_value() || references_[index].empty()) {
    return;
  }
  std::optional<uint32_t>& largest = largest_reference_[index];
  const std::optional<uint32_t> before = largest;
  std::array<std::vector<uint32_t>, 2> ids;  // known, new
  std::array<int64_t, 2> num_with{};
  for (const AttributeReference& reference : references_[index]) {
    const size_t is_new = !before.has_value() || reference.id > *before ? 1 : 0;
    ids[is_new].push_back(reference.id);
    num_with[is_new] += reference.has_attributes ? 1 : 0;
    largest = std::max(largest.value_or(reference.id), reference.id);
  }
  gaps_[index]->Add(file_, ids[0], num_with[0], false);
  gaps_[index]->Add(file_, ids[1], num_with[1]);
  references_[index].clear();
}

/// Returns the ids of the rows that have a new one, in the order of rows.
std::span<const uint32_t> ExpectedChildren::OldIds(const Parents& parents, const Marks& marks,
                                                   std::vector<uint32_t>* chosen) {
  if (parents.ids.size() == marks.has_child.size()) {
    return parents.ids;
  }
  for (size_t row = 0; row < parents.ids.size(); ++row) {
    if (parents.map->by_row()[row] >= 0) {
      chosen->push_back(parents.ids[row]);
    }
  }
  return *chosen;
}

/// New ids count the rows that have one, so the marks stand in the order of rows.
void ExpectedChildren::AddStretches(const Parents& parents, const Marks& marks, Sums* sums) const {
  std::vector<uint32_t> chosen;
  const std::span<const uint32_t> old_ids = OldIds(parents, marks, &chosen);
  const std::vector<uint8_t>& has_child = marks.has_child;
  auto extend = [&](Stretch* stretch, size_t begin, size_t end) {
    stretch->num_rows += static_cast<int64_t>(end - begin);
    for (const uint32_t id : old_ids.subspan(begin, end - begin)) {
      Extend(&stretch->ids, id);
    }
    if (stretch->num_rows > sums->longest.num_rows) {
      sums->longest = *stretch;
    }
  };
  auto next_with = [&](size_t from) {
    const auto found =
        std::find(has_child.begin() + static_cast<ptrdiff_t>(from), has_child.end(), uint8_t{1});
    return static_cast<size_t>(found - has_child.begin());
  };
  const size_t first = next_with(0);
  extend(&sums->current, 0, first);
  if (first == has_child.size()) {
    return;
  }
  size_t last = has_child.size() - 1;
  while (has_child[last] == 0) {
    --last;
  }
  // A stretch that is worth a line covers at least one of the places looked at.
  auto step = [&] {
    return static_cast<size_t>(std::max(kShortestStretch, sums->longest.num_rows + 1));
  };
  for (size_t at = first + step(); at < last; at += step()) {
    if (has_child[at] != 0) {
      continue;
    }
    size_t begin = at;
    while (has_child[begin - 1] == 0) {
      --begin;
    }
    at = next_with(at);
    Stretch stretch;
    if (static_cast<int64_t>(at - begin) > sums->longest.num_rows) {
      extend(&stretch, begin, at);
    }
  }
  sums->current = {};
  extend(&sums->current, last + 1, has_child.size());
}

void ExpectedChildren::AddMissing(TableKind table, const Marks& marks, Sums* sums) const {
  const Parents& parents = ParentsOf(table);
  for (int64_t row = 0; row < num_rows_; ++row) {
    const int32_t id = parents.map->by_row()[static_cast<size_t>(row)];
    if (id >= 0 && marks.has_child[static_cast<size_t>(id)] == 0 && MustHave(table, row)) {
      ++sums->missing.num_rows;
      Extend(&sums->missing.ids, parents.ids[static_cast<size_t>(row)]);
    }
  }
}

std::optional<Status> ExpectedChildren::Describe(TableKind table,
                                                 const std::string& partition) const {
  if (are_counted_ && table != TableKind::kLogAttrs) {
    return std::nullopt;  // CheckSet knows how many rows there are, and need not guess
  }
  const Sums& sums = sums_[otap::TableIndex(table)];
  const std::string_view name = otap::GetTable(table).directory;
  const std::string_view root =
      otap::GetTable(otap::GetTable(table).parent.value_or(root_)).directory;
  const auto location = [&] {
    return Location{.partition = partition, .table = std::string(name), .file = ""};
  };
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
        location());
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
                   location());
}

/// What rows between the files of a table tell of a file that is missing there.
std::optional<Status> ExpectedChildren::DescribeGap(TableKind table,
                                                    const std::string& partition) const {
  const std::optional<FileGaps>& gaps = gaps_[otap::TableIndex(table)];
  if (!gaps.has_value()) {
    return std::nullopt;
  }
  const std::string_view name = otap::GetTable(table).directory;
  const std::string_view root = otap::GetTable(root_).directory;
  std::string rows = fmt::format(
      "rows of {}", otap::GetTable(otap::GetTable(table).parent.value_or(root_)).directory);
  if (IsNested(table)) {
    rows = fmt::format("{} of {}", table == TableKind::kScopeAttrs ? "scopes" : "resources", root);
  }
  const Location location{.partition = partition, .table = std::string(name), .file = ""};
  if (const auto gap = gaps->Find(); gap.has_value()) {
    return MakeError(
        ErrorKind::kMissingFile,
        fmt::format("found no row of {} for {} {} between its files ({}){}, while {} of the other "
                    "{} have one: a file may be missing",
                    name, gap->num_rows, rows, ToText(gap->ids),
                    gap->num_more == 0
                        ? ""
                        : fmt::format(", nor for {} in other such places", gap->num_more),
                    gap->num_with, gap->num_others),
        location);
  }
  const auto bare = gaps->FindBareFile(IsNested(table) ? kLeastPairs : INT64_MAX);
  if (!bare.has_value()) {
    return std::nullopt;
  }
  return MakeError(
      ErrorKind::kMissingFile,
      fmt::format("found no row of {} for the {} {} in {} ({}), while there are some for each of "
                  "the other {} files of {}: a file may be missing",
                  name, bare->num_rows, rows, bare->root->entry.path, ToText(bare->ids),
                  bare->num_others, root),
      location);
}

void ExpectedChildren::Name(const std::string& partition,
                            const std::array<bool, otap::kTableCount>& is_unreadable,
                            ReadReport* report) const {
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (is_unreadable[otap::TableIndex(table.kind)]) {
      continue;
    }
    std::optional<Status> found = Describe(table.kind, partition);
    found = found.has_value() ? found : DescribeGap(table.kind, partition);
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
