#include "lake/write/level_split.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "otap/filter.h"
#include "otap/rows.h"
#include "select/selector.h"

namespace df::lake {
namespace {

using otap::RowSet;
using otap::TableKind;

bool IsPoints(const otap::TableInfo& info) {
  return info.parent == TableKind::kUnivariateMetrics && !info.is_attributes;
}

/// The levels of the rows of one table that have a time.
struct TimedTable {
  TableKind kind;
  std::vector<int64_t> levels;  ///< by row
};

class LevelSplit {
 public:
  LevelSplit(const otap::BatchPtr& batch, TimeLevels levels) : batch_(batch) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      const bool has_times = batch->signal() == otap::Signal::kMetrics
                                 ? IsPoints(info)
                                 : info.kind == otap::RootTable(batch->signal());
      if (const auto& rows = batch->table(info.kind); has_times && rows != nullptr) {
        TimedTable table{info.kind, select::EventTimes(*rows, info.kind)};
        for (int64_t& value : table.levels) {
          value = LevelOf(value, levels);
          ++rows_of_[value];
        }
        tables_.push_back(std::move(table));
      }
    }
    FindPointless(LevelOf(0, levels));
  }

  Result<std::vector<LevelPart>> Run() {
    std::vector<LevelPart> parts;
    if (rows_of_.size() <= 1) {
      parts.push_back(
          {rows_of_.empty() ? std::nullopt : std::optional(rows_of_.begin()->first), batch_});
      return parts;
    }
    const std::vector<int64_t> kept = KeptLevels();
    for (const int64_t level : kept) {
      ARROW_RETURN_NOT_OK(
          AddPart(level, [level](int64_t other) { return other == level; }, &parts));
    }
    if (kept.size() < rows_of_.size()) {
      const std::set<int64_t> all(kept.begin(), kept.end());
      ARROW_RETURN_NOT_OK(
          AddPart(std::nullopt, [&all](int64_t other) { return !all.contains(other); }, &parts));
    }
    if (!HaveAllRows(parts)) {
      parts.clear();
      parts.push_back({std::nullopt, batch_});
    }
    return parts;
  }

 private:
  /// Finds metrics without points. Their level is `level`.
  void FindPointless(int64_t level) {
    if (batch_->signal() != otap::Signal::kMetrics) {
      return;
    }
    pointless_level_ = level;
    pointless_ = RowSet(batch_->num_root_rows());
    if (const auto ids = otap::FindArray(batch_->root(), "id"); ids != nullptr) {
      for (const TimedTable& table : tables_) {
        const auto parents = otap::FindArray(batch_->table(table.kind), "parent_id");
        pointless_->Unite(otap::RowsWithIds(*ids, otap::CollectIds(parents.get())));
      }
    }
    pointless_->Invert();
    if (const int64_t count = pointless_->Count(); count > 0) {
      rows_of_[level] += count;
    }
  }

  /// Tells whether the parts have every row of the batch. Rows that name no record of it have no
  /// place in any of them.
  bool HaveAllRows(const std::vector<LevelPart>& parts) const {
    const TableKind root = otap::RootTable(batch_->signal());
    const auto ids = otap::FindArray(batch_->root(), "id");
    for (const otap::TableInfo& info : otap::AllTables()) {
      const auto& rows = batch_->table(info.kind);
      if (!info.parent.has_value() || rows == nullptr) {
        continue;
      }
      int64_t num_placed = 0;
      if (batch_->signal() == otap::Signal::kMetrics && info.parent == root && !IsPoints(info)) {
        // Those of a metric stand in each level that it has points of.
        const auto parents = otap::FindArray(rows, "parent_id");
        num_placed = ids == nullptr || parents == nullptr
                         ? 0
                         : otap::RowsWithIds(*parents, otap::CollectIds(ids.get())).Count();
      } else {
        for (const LevelPart& part : parts) {
          const auto& placed = part.batch->table(info.kind);
          num_placed += placed == nullptr ? 0 : placed->num_rows();
        }
      }
      if (num_placed < rows->num_rows()) {
        return false;
      }
    }
    return true;
  }

  /// The levels with the most rows, and of those with as many the newest; the newest first.
  std::vector<int64_t> KeptLevels() const {
    std::vector<std::pair<int64_t, int64_t>> by_rows;
    for (const auto& [level, rows] : rows_of_) {
      by_rows.emplace_back(rows, level);
    }
    std::sort(by_rows.begin(), by_rows.end(), std::greater<>());
    by_rows.resize(std::min(by_rows.size(), kMostLevels));
    std::vector<int64_t> kept;
    for (const auto& [rows, level] : by_rows) {
      kept.push_back(level);
    }
    std::sort(kept.begin(), kept.end(), std::greater<>());
    return kept;
  }

  template <typename Wants>
  Status AddPart(std::optional<int64_t> level, const Wants& wants, std::vector<LevelPart>* parts) {
    otap::Selection selection;
    const bool is_metrics = batch_->signal() == otap::Signal::kMetrics;
    RowSet roots(batch_->num_root_rows());
    if (is_metrics && wants(pointless_level_)) {
      roots.Unite(*pointless_);
    }
    const auto ids = otap::FindArray(batch_->root(), "id");
    for (const TimedTable& table : tables_) {
      RowSet rows(static_cast<int64_t>(table.levels.size()));
      rows.SetWhere([&](int64_t row) { return wants(table.levels[static_cast<size_t>(row)]); });
      if (!is_metrics) {
        roots = std::move(rows);
        continue;
      }
      if (ids != nullptr) {
        const auto parents = otap::FindArray(batch_->table(table.kind), "parent_id");
        roots.Unite(otap::RowsWithIds(*ids, otap::CollectIds(parents.get(), rows)));
      }
      selection.Set(table.kind, std::move(rows));
    }
    selection.Set(otap::RootTable(batch_->signal()), std::move(roots));
    ARROW_ASSIGN_OR_RAISE(auto part, otap::Filter(batch_, selection));
    if (part != nullptr) {
      parts->push_back({level, std::move(part)});
    }
    return Status::OK();
  }

  const otap::BatchPtr& batch_;
  std::vector<TimedTable> tables_;
  std::optional<RowSet> pointless_;  ///< metrics: rows of the root table
  int64_t pointless_level_ = 0;
  std::map<int64_t, int64_t> rows_of_;  ///< by level
};

}  // namespace

Result<std::vector<LevelPart>> SplitByLevel(const otap::BatchPtr& batch, TimeLevels levels) {
  if (levels == TimeLevels::kNone || batch->num_root_rows() == 0) {
    return std::vector<LevelPart>{{std::nullopt, batch}};
  }
  return LevelSplit(batch, levels).Run();
}

}  // namespace df::lake
