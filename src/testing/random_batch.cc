#include "testing/random_batch.h"

#include <array>
#include <cmath>
#include <map>
#include <set>

#include <arrow/api.h>
#include <arrow/util/logging.h>

#include "otap/schema.h"

namespace df::testing {
namespace {

using otap::Column;
using otap::TableInfo;
using otap::TableKind;

/// What all rows of one resource or scope share: the cells of the struct's children by name.
struct Group {
  bool is_null = false;
  std::map<std::string, Cell, std::less<>> cells;
};

/// Columns whose meaning does not survive when they are left out at will.
bool MayBeMissing(const TableInfo& table, const Column& column) {
  if (column.required || column.name == "bool" || column.name == "ser") {
    return false;
  }
  // Point and record ids are left out by their own rules.
  return column.role != otap::ColumnRole::kId || !table.is_root();
}

bool IsLostUpstream(TableKind kind, std::string_view name) {
  return name == "is_monotonic" || name == "zero_threshold" ||
         (name == "flags" && (kind == TableKind::kSpans || kind == TableKind::kSpanLinks));
}

/// Builds one table row by row. The columns that this batch leaves out are drawn up front, so a
/// value is never drawn and then lost.
class TableDraft {
 public:
  TableDraft(const TableInfo& info, const RandomBatchOptions& options, RandomEngine& rng)
      : info_(info) {
    table_.columns = Draft(info.columns, "", options, rng);
  }

  bool Has(std::string_view path) const { return missing_.find(path) == missing_.end(); }

  void EndRow() { ++table_.num_rows; }

  const TableInfo& info() const { return info_; }
  CellTable& table() { return table_; }

 private:
  std::vector<CellColumn> Draft(std::span<const Column> columns, const std::string& prefix,
                                const RandomBatchOptions& options, RandomEngine& rng) {
    std::vector<CellColumn> drafts;
    for (const Column& column : columns) {
      const std::string path = prefix + std::string(column.name);
      const bool is_value = column.name == "int_value" || column.name == "double_value";
      if ((MayBeMissing(info_, column) && (options.valueless_exemplars || !is_value) &&
           Chance(rng, options.missing_column)) ||
          (options.upstream_columns_only && IsLostUpstream(info_.kind, column.name))) {
        missing_.insert(path);
        continue;
      }
      CellColumn draft{std::string(column.name), NativeType(column), {}, {}};
      if (column.type == otap::ColumnType::kStruct) {
        draft.children = Draft(column.children, path + ".", options, rng);
        if (draft.children.empty()) {
          missing_.insert(path);
          continue;
        }
      }
      drafts.push_back(std::move(draft));
    }
    return drafts;
  }

  const TableInfo& info_;
  std::set<std::string, std::less<>> missing_;
  CellTable table_;
};

class BatchMaker {
 public:
  BatchMaker(otap::Signal signal, const RandomBatchOptions& options, RandomEngine& rng)
      : signal_(signal), options_(options), rng_(rng), values_(rng, options.values) {
    for (const TableInfo& info : otap::AllTables()) {
      if (info.has_signal(signal) && !info.columns.empty()) {
        drafts_.emplace(info.kind, TableDraft(info, options, rng));
      }
    }
  }

  otap::BatchPtr Make() {
    MakeRoots();
    otap::BatchBuilder builder(signal_);
    for (auto& [kind, draft] : drafts_) {
      if (draft.table().num_rows > 0) {
        ARROW_CHECK_OK(builder.Set(kind, Finish(draft)));
      }
    }
    return builder.Build();
  }

 private:
  TableDraft& Draft(TableKind kind) { return drafts_.at(kind); }

  Cell Optional(const Column& column) {
    return !column.required && Chance(rng_, options_.null_share) ? Cell() : values_.Value(column);
  }

  /// Spreads the rows over resources and scopes, in order, every scope with at least one row.
  void MakeRoots() {
    int64_t rows_left = options_.root_rows;
    const int64_t resources = Between(rng_, 1, options_.max_resources);
    uint64_t scope_id = 0;
    for (int64_t r = 0; r < resources && rows_left > 0; ++r) {
      Group resource = MakeGroup("resource", TableKind::kResourceAttrs, static_cast<uint64_t>(r));
      const int64_t scopes = Between(rng_, 1, options_.max_scopes_per_resource);
      for (int64_t s = 0; s < scopes && rows_left > 0; ++s) {
        Group scope = MakeGroup("scope", TableKind::kScopeAttrs, scope_id++);
        scope.cells["schema_url"] = values_.Text();
        const bool is_last = r + 1 == resources && s + 1 == scopes;
        const int64_t rows =
            is_last ? rows_left
                    : Between(rng_, 1, std::max<int64_t>(1, 2 * rows_left / (resources * scopes)));
        for (int64_t i = 0; i < std::min(rows, rows_left); ++i) {
          MakeRoot(resource, scope);
        }
        rows_left -= std::min(rows, rows_left);
      }
    }
  }

  Group MakeGroup(std::string_view name, TableKind attributes, uint64_t id) {
    const TableDraft& root = Draft(otap::RootTable(signal_));
    Group group;
    group.is_null = Chance(rng_, options_.null_struct);
    if (group.is_null || !root.Has(name)) {
      return group;
    }
    for (const Column& column : otap::FindColumn(root.info().columns, name)->children) {
      group.cells[std::string(column.name)] = Optional(column);
    }
    group.cells["id"] = id;
    if (options_.group_attributes && root.Has(std::string(name) + ".id")) {
      MakeAttributes(attributes, id, AttributeCount());
    }
    return group;
  }

  int64_t AttributeCount() {
    return Chance(rng_, options_.without_attributes) || options_.max_attributes == 0
               ? 0
               : Between(rng_, 1, options_.max_attributes);
  }

  void PutGroup(CellColumn& column, const Group& group) {
    column.cells.push_back(group.is_null ? Cell() : Cell(true));
    for (CellColumn& child : column.children) {
      const auto found = group.cells.find(child.name);
      child.cells.push_back(group.is_null || found == group.cells.end() ? Cell() : found->second);
    }
  }

  void MakeRoot(const Group& resource, const Group& scope) {
    TableDraft& root = Draft(otap::RootTable(signal_));
    const bool is_log = signal_ == otap::Signal::kLogs;
    const bool has_id = root.Has("id");
    const int64_t attributes = has_id ? AttributeCount() : 0;
    const bool wants_id = has_id && (!is_log || attributes > 0);
    const Cell id = wants_id ? Cell(next_root_id_++) : Cell();
    const uint64_t metric_type = static_cast<uint64_t>(Between(rng_, 0, 5));
    for (CellColumn& column : root.table().columns) {
      if (column.name == "id") {
        column.cells.push_back(id);
      } else if (column.name == "resource") {
        PutGroup(column, resource);
      } else if (column.name == "scope") {
        PutGroup(column, scope);
      } else if (column.name == "schema_url") {
        column.cells.push_back(scope.cells.contains("schema_url") ? scope.cells.at("schema_url")
                                                                  : Cell());
      } else if (column.name == "metric_type") {
        column.cells.push_back(metric_type);
      } else if (column.name == "is_monotonic") {
        column.cells.push_back(metric_type == 2 ? Cell(Chance(rng_, 0.5)) : Cell());
      } else if (column.name == "aggregation_temporality") {
        column.cells.push_back(metric_type >= 2 && metric_type <= 4 ? Cell(Between(rng_, 0, 2))
                                                                    : Cell());
      } else {
        PutValue(column, *otap::FindColumn(root.info().columns, column.name));
      }
    }
    root.EndRow();
    if (wants_id) {
      MakeRelated(root.info(), std::get<uint64_t>(id), metric_type, attributes);
    }
  }

  /// Makes attributes and children of one entity.
  void MakeRelated(const TableInfo& parent, uint64_t id, uint64_t metric_type, int64_t attributes) {
    static constexpr std::array<std::optional<TableKind>, 6> kPointsByType = {
        std::nullopt,
        TableKind::kNumberDataPoints,
        TableKind::kNumberDataPoints,
        TableKind::kHistogramDataPoints,
        TableKind::kExpHistogramDataPoints,
        TableKind::kSummaryDataPoints};
    for (const TableInfo& info : otap::AllTables()) {
      if (info.parent != parent.kind || !info.has_signal(signal_)) {
        continue;
      }
      if (info.is_attributes) {
        MakeAttributes(info.kind, id, attributes);
      } else if (parent.kind != TableKind::kUnivariateMetrics ||
                 kPointsByType[metric_type] == info.kind) {
        const int64_t children =
            Chance(rng_, options_.without_children) || options_.max_children == 0
                ? 0
                : Between(rng_, 1, options_.max_children);
        for (int64_t i = 0; i < children; ++i) {
          MakeChild(Draft(info.kind), id);
        }
      }
    }
  }

  void MakeChild(TableDraft& draft, uint64_t parent_id) {
    const bool has_id = draft.Has("id");
    const int64_t attributes = has_id ? AttributeCount() : 0;
    const bool is_point = draft.info().parent == TableKind::kUnivariateMetrics;
    const bool wants_id =
        has_id && (is_point || attributes > 0 || !options_.null_ids_for_bare_children);
    const Cell id = wants_id ? Cell(next_id_[draft.info().kind]++) : Cell();
    // 0 = no value, 1 = int, 2 = double.
    const int64_t value_kind = Between(rng_, options_.valueless_exemplars || is_point ? 0 : 1, 2);
    for (CellColumn& column : draft.table().columns) {
      const Column& info = *otap::FindColumn(draft.info().columns, column.name);
      if (column.name == "id") {
        column.cells.push_back(id);
      } else if (column.name == "parent_id") {
        column.cells.push_back(parent_id);
      } else if (column.name == "int_value" || column.name == "double_value") {
        const bool is_set = value_kind == (column.name == "int_value" ? 1 : 2);
        column.cells.push_back(is_set ? MeasuredValue(info, is_point) : Cell());
      } else {
        PutValue(column, info);
      }
    }
    draft.EndRow();
    if (wants_id) {
      MakeRelated(draft.info(), std::get<uint64_t>(id), 0, attributes);
    }
  }

  Cell MeasuredValue(const Column& column, bool is_point) {
    Cell cell = values_.Value(column);
    while (!options_.valueless_exemplars && !is_point &&
           (cell == Cell(0.0) || cell == Cell(int64_t{0}))) {
      cell = values_.Value(column);
    }
    return cell;
  }

  /// Puts a value, a null, or a whole struct.
  void PutValue(CellColumn& column, const Column& info) {
    if (info.type != otap::ColumnType::kStruct) {
      column.cells.push_back(Optional(info));
      return;
    }
    const bool is_null = Chance(rng_, options_.null_struct);
    column.cells.push_back(is_null ? Cell() : Cell(true));
    if (info.name == "body") {
      PutAnyValue(column.children, is_null ? 0 : Between(rng_, 0, 7));
      return;
    }
    for (CellColumn& child : column.children) {
      const Column& child_info = *otap::FindColumn(info.children, child.name);
      child.cells.push_back(is_null ? Cell() : Optional(child_info));
    }
  }

  /// Puts type and value columns of one AnyValue (format reference 2.13).
  void PutAnyValue(std::vector<CellColumn>& columns, int64_t type) {
    static constexpr std::array<std::string_view, 8> kActive = {"",     "str", "int", "double",
                                                                "bool", "ser", "ser", "bytes"};
    for (CellColumn& column : columns) {
      if (column.name == "type") {
        column.cells.push_back(static_cast<uint64_t>(type));
      } else if (column.name == "parent_id" || column.name == "key") {
        continue;
      } else if (column.name != kActive[static_cast<size_t>(type)]) {
        column.cells.emplace_back();
      } else if (column.name == "ser") {
        column.cells.push_back(values_.Cbor(type == 5));
      } else {
        // A null active value means the default of its type; for booleans it means no value.
        const Column& info =
            *otap::FindColumn(otap::GetTable(TableKind::kLogAttrs).columns, column.name);
        column.cells.push_back(Chance(rng_, options_.null_share / 4) ? Cell()
                                                                     : values_.Value(info));
      }
    }
  }

  void MakeAttributes(TableKind kind, uint64_t parent_id, int64_t count) {
    TableDraft& draft = Draft(kind);
    for (int64_t i = 0; i < count; ++i) {
      for (CellColumn& column : draft.table().columns) {
        if (column.name == "parent_id") {
          column.cells.push_back(parent_id);
        } else if (column.name == "key") {
          column.cells.push_back(values_.Text());
        }
      }
      PutAnyValue(draft.table().columns, Between(rng_, 0, 7));
      draft.EndRow();
    }
  }

  /// Draws the Arrow form of every column and builds the table.
  std::shared_ptr<arrow::RecordBatch> Finish(TableDraft& draft) {
    CellTable& table = draft.table();
    DropEmptyColumns(table.columns, draft.info().columns);
    DrawForms(table.columns, draft.info().columns);
    const int64_t offset = Chance(rng_, options_.sliced) ? Between(rng_, 1, 11) : 0;
    std::vector<int64_t> order;
    for (int64_t row = -offset; row < table.num_rows; ++row) {
      order.push_back(row < 0 ? Between(rng_, 0, table.num_rows - 1) : row);
    }
    return BuildRecords(TakeRows(table, order)).ValueOrDie()->Slice(offset);
  }

  /// Leaves out id columns that hold nothing, always; other empty columns half of the time.
  void DropEmptyColumns(std::vector<CellColumn>& columns, std::span<const Column> infos) {
    std::erase_if(columns, [&](const CellColumn& column) {
      const Column& info = *otap::FindColumn(infos, column.name);
      const bool is_empty = std::all_of(column.cells.begin(), column.cells.end(), IsNull);
      const bool is_id = info.role == otap::ColumnRole::kId;
      return is_empty && !info.required &&
             (is_id ? !options_.keep_empty_id_columns : Chance(rng_, 0.5));
    });
  }

  void DrawForms(std::vector<CellColumn>& columns, std::span<const Column> infos) {
    for (CellColumn& column : columns) {
      const Column& info = *otap::FindColumn(infos, column.name);
      if (!column.children.empty()) {
        DrawForms(column.children, info.children);
        continue;
      }
      if (info.dictionary == otap::DictionaryRule::kNone || !Chance(rng_, options_.dictionary)) {
        continue;
      }
      const int64_t distinct = static_cast<int64_t>(CountDistinct(column.cells));
      if (info.dictionary == otap::DictionaryRule::kAny && distinct <= otap::kMaxDictionary8 &&
          Chance(rng_, 0.6)) {
        column.type = arrow::dictionary(arrow::uint8(), column.type);
      } else if (distinct <= otap::kMaxDictionary16) {
        column.type = arrow::dictionary(arrow::uint16(), column.type);
      }
    }
  }

  otap::Signal signal_;
  const RandomBatchOptions& options_;
  RandomEngine& rng_;
  RandomValues values_;
  std::map<TableKind, TableDraft> drafts_;
  uint64_t next_root_id_ = 0;
  std::map<TableKind, uint64_t> next_id_;
};

}  // namespace

RandomBatchOptions JoinableUpstreamShape() {
  RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  shape.upstream_columns_only = true;
  shape.missing_column = 0;
  shape.null_struct = 0;
  return shape;
}

otap::BatchPtr RandomBatch(otap::Signal signal, const RandomBatchOptions& options,
                           RandomEngine& rng) {
  return BatchMaker(signal, options, rng).Make();
}

std::vector<otap::BatchPtr> RandomBatches(int count, std::optional<otap::Signal> signal,
                                          const RandomBatchOptions& options, RandomEngine& rng) {
  std::vector<otap::BatchPtr> batches;
  for (int i = 0; i < count; ++i) {
    const otap::Signal drawn =
        signal.value_or(otap::kAllSignals[static_cast<size_t>(Between(rng, 0, 2))]);
    batches.push_back(RandomBatch(drawn, options, rng));
  }
  return batches;
}

}  // namespace df::testing
