#include "testing/lake_columns.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>

#include "testing/malformed_ids.h"

namespace df::testing {
namespace {

using otap::Column;
using otap::ColumnType;
using otap::TableInfo;
using otap::TableKind;

/// Optional columns that upstream fills with zeros, or with a struct of nulls, when a batch lacks
/// them (format reference 2.2 to 2.11); all others become null.
bool IsFilledUpstream(TableKind kind, std::string_view name) {
  using enum TableKind;
  using Names = std::vector<std::string_view>;
  static const std::vector<std::pair<Names, std::vector<TableKind>>> kFilled = {
      {{"schema_url", "time_unix_nano", "observed_time_unix_nano", "dropped_attributes_count",
        "flags", "resource"},
       {kLogs}},
      {{"schema_url"}, {kSpans}},
      {{"schema_url", "description", "unit", "resource", "scope"}, {kUnivariateMetrics}},
      {{"id", "flags"}, {kNumberDataPoints}},
      {{"id", "start_time_unix_nano", "time_unix_nano", "count", "sum", "quantile", "flags"},
       {kSummaryDataPoints}},
      {{"id", "start_time_unix_nano", "time_unix_nano", "count", "bucket_counts", "flags"},
       {kHistogramDataPoints}},
      {{"id", "start_time_unix_nano", "time_unix_nano", "count", "scale", "zero_count", "positive",
        "negative", "flags"},
       {kExpHistogramDataPoints}},
      {{"int_value"}, {kNumberDpExemplars, kHistogramDpExemplars, kExpHistogramDpExemplars}},
  };
  return std::any_of(kFilled.begin(), kFilled.end(), [&](const auto& entry) {
    return std::count(entry.first.begin(), entry.first.end(), name) > 0 &&
           std::count(entry.second.begin(), entry.second.end(), kind) > 0;
  });
}

bool IsMissingUpstream(TableKind kind, std::string_view name) {
  return name == "is_monotonic" || name == "zero_threshold" ||
         (name == "flags" && (kind == TableKind::kSpans || kind == TableKind::kSpanLinks));
}

Cell Zero(const Column& column) {
  switch (column.type) {
    case ColumnType::kInt32:
    case ColumnType::kInt64:
    case ColumnType::kTimestamp:
    case ColumnType::kDuration:
      return int64_t{0};
    case ColumnType::kFloat64:
      return 0.0;
    case ColumnType::kBool:
      return false;
    case ColumnType::kUtf8:
    case ColumnType::kBinary:
      return std::string();
    case ColumnType::kFixedBinary8:
      return std::string(8, '\0');
    case ColumnType::kFixedBinary16:
      return std::string(16, '\0');
    case ColumnType::kListUInt64:
      return std::vector<uint64_t>();
    case ColumnType::kListFloat64:
      return std::vector<double>();
    case ColumnType::kListQuantile:
      return std::vector<QuantileCell>();
    case ColumnType::kStruct:
      return true;
    default:
      return uint64_t{0};
  }
}

/// Returns a column that a batch did not have.
CellColumn NewColumn(const Column& info, size_t num_rows, bool is_filled) {
  CellColumn column{std::string(info.name), NativeType(info), {}, {}};
  column.cells.assign(num_rows, is_filled ? Zero(info) : Cell());
  for (const Column& child : info.children) {
    // Buckets are filled whole; resource and scope are valid structs of nulls.
    const bool fills_child = is_filled && (info.name == "positive" || info.name == "negative");
    column.children.push_back(NewColumn(child, num_rows, fills_child));
  }
  return column;
}

CellColumn CompleteColumn(const Column& info, const CellColumn& given) {
  CellColumn column = given;
  if (info.type != ColumnType::kStruct) {
    return column;
  }
  column.children.clear();
  for (const Column& child : info.children) {
    const CellColumn* found = FindCells(given.children, child.name);
    column.children.push_back(found != nullptr ? CompleteColumn(child, *found)
                                               : NewColumn(child, given.cells.size(), false));
  }
  return column;
}

void Append(CellColumn& head, const CellColumn& tail) {
  head.cells.insert(head.cells.end(), tail.cells.begin(), tail.cells.end());
  for (size_t i = 0; i < head.children.size(); ++i) {
    Append(head.children[i], tail.children[i]);
  }
}

bool IsEmpty(const CellColumn& column) {
  return std::all_of(column.cells.begin(), column.cells.end(), IsNull);
}

void OmitEmpty(std::vector<CellColumn>& columns) {
  std::erase_if(columns, [](CellColumn& column) {
    if (!column.children.empty()) {
      OmitEmpty(column.children);
      return column.children.empty();
    }
    return IsEmpty(column) && column.name != "bool";
  });
  // Without its column a boolean is false, and one that is null is empty.
  if (FindCells(columns, "type") == nullptr) {
    std::erase_if(columns, [](const CellColumn& column) { return column.name == "bool"; });
  }
}

CellColumn UnknownColumn(const std::string& name, int64_t num_rows) {
  CellColumn column{name, arrow::utf8(), {}, {}};
  for (int64_t row = 0; row < num_rows; ++row) {
    column.cells.push_back(row % 3 == 0 ? Cell() : Cell(fmt::format("extra {}", row % 7)));
  }
  return column;
}

std::shared_ptr<arrow::DataType> ViewOf(const std::shared_ptr<arrow::DataType>& type) {
  return type->id() == arrow::Type::STRING   ? arrow::utf8_view()
         : type->id() == arrow::Type::BINARY ? arrow::binary_view()
                                             : type;
}

std::shared_ptr<arrow::DataType> FileType(const Column& info,
                                          const std::shared_ptr<arrow::DataType>& given,
                                          const LakeWriterOptions& options) {
  const auto native = NativeType(info);
  if (info.type == ColumnType::kTimestamp) {
    return arrow::timestamp(options.time_unit, options.time_zone);
  }
  if (native->id() == arrow::Type::LIST) {
    return options.large_lists
               ? arrow::large_list(static_cast<const arrow::ListType&>(*native).value_field())
               : native;
  }
  if (info.role != otap::ColumnRole::kData) {
    return arrow::uint32();
  }
  const auto plain = options.views ? ViewOf(native) : native;
  if (info.dictionary == otap::DictionaryRule::kNone) {
    return plain;
  }
  switch (options.dictionary) {
    case DictionaryForm::kAsGiven:
      return given->id() == arrow::Type::DICTIONARY ? given : plain;
    case DictionaryForm::kNone:
      return plain;
    case DictionaryForm::kInt8:
      return arrow::dictionary(arrow::int8(), native);
    case DictionaryForm::kInt16:
      return arrow::dictionary(arrow::int16(), native);
    case DictionaryForm::kInt32:
      return arrow::dictionary(arrow::int32(), native);
  }
  return plain;
}

/// Sets the types of known columns; returns how many rows a chunk may have at most.
int64_t SetTypes(std::vector<CellColumn>& columns, std::span<const Column> infos,
                 const LakeWriterOptions& options, bool is_nested) {
  int64_t limit = int64_t{1} << 40;
  for (CellColumn& column : columns) {
    const Column* info = otap::FindColumn(infos, column.name);
    if (info == nullptr) {
      continue;
    }
    if (!column.children.empty()) {
      limit = std::min(limit, SetTypes(column.children, info->children, options, true));
      continue;
    }
    column.type = FileType(*info, column.type, options);
    if (is_nested && info->role == otap::ColumnRole::kId &&
        options.layout == LakeLayout::kUpstream) {
      column.type = arrow::uint16();
    }
    if (column.type->id() == arrow::Type::DICTIONARY) {
      const int bits =
          static_cast<const arrow::DictionaryType&>(*column.type).index_type()->bit_width();
      limit = std::min(limit, bits == 8 ? int64_t{100} : bits == 16 ? int64_t{30'000} : limit);
    }
  }
  return limit;
}

arrow::Status NarrowRootIds(CellTable& rows) {
  CellColumn* ids = FindCells(rows.columns, "id");
  for (const Cell& id : ids->cells) {
    if (!IsNull(id) && std::get<uint64_t>(id) > 65'535) {
      return arrow::Status::Invalid("root id ", std::get<uint64_t>(id), " does not fit UInt16");
    }
  }
  ids->type = arrow::uint16();
  return arrow::Status::OK();
}

/// Upstream types the value column that no batch of the file has as Int64 and fills it with 0.
void FillExemplarDoubles(TableKind kind, CellTable& rows) {
  CellColumn* doubles = FindCells(rows.columns, "double_value");
  const bool is_exemplar = FindCells(rows.columns, "int_value") != nullptr && doubles != nullptr &&
                           kind != TableKind::kNumberDataPoints;
  if (is_exemplar && IsEmpty(*doubles)) {
    doubles->type = arrow::int64();
    doubles->cells.assign(doubles->cells.size(), Cell(int64_t{0}));
  }
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithRequiredFields(
    const std::shared_ptr<arrow::RecordBatch>& batch, const CellTable& rows,
    std::span<const Column> infos) {
  arrow::FieldVector fields;
  for (const auto& field : batch->schema()->fields()) {
    const Column* info = otap::FindColumn(infos, field->name());
    const CellColumn& column = *FindCells(rows.columns, field->name());
    const bool has_nulls = std::any_of(column.cells.begin(), column.cells.end(), IsNull);
    fields.push_back(info != nullptr && info->required && !has_nulls ? field->WithNullable(false)
                                                                     : field);
  }
  return batch->ReplaceSchema(arrow::schema(fields));
}

std::vector<int64_t> Ascending(int64_t num_rows) {
  std::vector<int64_t> order(static_cast<size_t>(num_rows));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

uint64_t ParentOf(const CellColumn& parents, int64_t row) {
  const Cell& cell = parents.cells[static_cast<size_t>(row)];
  return IsNull(cell) ? 0 : std::get<uint64_t>(cell);
}

/// Returns what a producer of the reference sorts a child table by, in front of the parent: type,
/// key and value of attributes, values of exemplars, names of events, traces of links.
std::vector<std::string> SortKeys(const CellTable& table) {
  static constexpr std::array kNames = {"type",      "key",          "name",    "str",
                                        "int",       "double",       "bool",    "bytes",
                                        "int_value", "double_value", "trace_id"};
  std::vector<std::string> keys(static_cast<size_t>(table.num_rows));
  for (const char* name : kNames) {
    const CellColumn* column = FindCells(table.columns, name);
    for (size_t row = 0; column != nullptr && row < keys.size(); ++row) {
      keys[row] += CellText(column->cells[row]) + " ";
    }
  }
  return keys;
}

CellTable Shuffled(const CellTable& table, RandomEngine& rng) {
  std::vector<int64_t> order = Ascending(table.num_rows);
  std::shuffle(order.begin(), order.end(), rng);
  return TakeRows(table, order);
}

}  // namespace

CellTable CompleteColumns(TableKind kind, const CellTable& piece,
                          const LakeWriterOptions& options) {
  CellTable complete{piece.num_rows, {}};
  const bool is_upstream = options.layout == LakeLayout::kUpstream;
  for (const Column& info : otap::GetTable(kind).columns) {
    if (is_upstream && IsMissingUpstream(kind, info.name)) {
      continue;
    }
    const CellColumn* given = FindCells(piece.columns, info.name);
    const bool may_fill = is_upstream && (options.zero_point_ids || info.name != "id");
    complete.columns.push_back(given != nullptr
                                   ? CompleteColumn(info, *given)
                                   : NewColumn(info, static_cast<size_t>(piece.num_rows),
                                               may_fill && IsFilledUpstream(kind, info.name)));
  }
  if (is_upstream && kind == TableKind::kUnivariateMetrics) {
    // Only upstream's files have this column; it holds nothing (format reference 2.6).
    CellColumn extra{"dropped_attributes_count", arrow::uint32(), {}, {}};
    extra.cells.assign(static_cast<size_t>(piece.num_rows), Cell());
    complete.columns.push_back(std::move(extra));
  }
  return complete;
}

CellTable Concatenate(const std::vector<CellTable>& pieces) {
  CellTable whole = pieces.front();
  for (size_t i = 1; i < pieces.size(); ++i) {
    whole.num_rows += pieces[i].num_rows;
    for (size_t column = 0; column < whole.columns.size(); ++column) {
      Append(whole.columns[column], pieces[i].columns[column]);
    }
  }
  return whole;
}

CellTable OrderBatchRows(CellTable table, ChildOrder order, RandomEngine& rng) {
  const CellColumn* parents = FindCells(table.columns, "parent_id");
  if (parents == nullptr ||
      (order != ChildOrder::kByKey && order != ChildOrder::kShuffledInBatch)) {
    return table;
  }
  if (order == ChildOrder::kShuffledInBatch) {
    return Shuffled(table, rng);
  }
  const std::vector<std::string> keys = SortKeys(table);
  std::vector<int64_t> rows = Ascending(table.num_rows);
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t left, int64_t right) {
    const int order_of_keys =
        keys[static_cast<size_t>(left)].compare(keys[static_cast<size_t>(right)]);
    return order_of_keys != 0 ? order_of_keys < 0
                              : ParentOf(*parents, left) < ParentOf(*parents, right);
  });
  return TakeRows(table, rows);
}

CellTable OrderFileRows(CellTable table, ChildOrder order, RandomEngine& rng) {
  const CellColumn* parents = FindCells(table.columns, "parent_id");
  if (parents == nullptr ||
      (order != ChildOrder::kByParent && order != ChildOrder::kShuffledInFile)) {
    return table;
  }
  if (order == ChildOrder::kShuffledInFile) {
    return Shuffled(table, rng);
  }
  std::vector<int64_t> rows = Ascending(table.num_rows);
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t left, int64_t right) {
    return ParentOf(*parents, left) < ParentOf(*parents, right);
  });
  return TakeRows(table, rows);
}

arrow::Result<std::shared_ptr<arrow::Table>> FileTable(TableKind kind, CellTable rows,
                                                       const LakeWriterOptions& options,
                                                       RandomEngine& rng) {
  const TableInfo& info = otap::GetTable(kind);
  if (options.omit_empty_columns) {
    OmitEmpty(rows.columns);
  }
  const int64_t limit = SetTypes(rows.columns, info.columns, options, false);
  if (options.layout == LakeLayout::kUpstream) {
    FillExemplarDoubles(kind, rows);
    for (CellColumn& column : rows.columns) {
      if (options.malformed_ids && IsMalformedUpstream(kind, column.name)) {
        column.type = arrow::binary();
      }
    }
    // A file in which no record has an id keeps the width that ids have in memory.
    CellColumn* ids = FindCells(rows.columns, "id");
    if (info.is_root() && ids != nullptr && IsEmpty(*ids)) {
      ids->type = arrow::uint16();
    }
  }
  if (options.narrow_root_ids && info.is_root() && FindCells(rows.columns, "id") != nullptr) {
    ARROW_RETURN_NOT_OK(NarrowRootIds(rows));
  }
  if (options.extra_columns) {
    rows.columns.push_back(UnknownColumn("unknown_to_the_model", rows.num_rows));
    if (CellColumn* resource = FindCells(rows.columns, "resource")) {
      resource->children.push_back(UnknownColumn("unknown_child", rows.num_rows));
    }
  }
  if (options.shuffle_columns) {
    std::shuffle(rows.columns.begin(), rows.columns.end(), rng);
    for (CellColumn& column : rows.columns) {
      std::shuffle(column.children.begin(), column.children.end(), rng);
    }
  }
  arrow::RecordBatchVector chunks;
  for (int64_t first = 0; first < rows.num_rows || chunks.empty(); first += limit) {
    std::vector<int64_t> part;
    for (int64_t row = first; row < std::min(first + limit, rows.num_rows); ++row) {
      part.push_back(row);
    }
    ARROW_ASSIGN_OR_RAISE(auto chunk, BuildRecords(TakeRows(rows, part)));
    if (options.required_fields) {
      ARROW_ASSIGN_OR_RAISE(chunk, WithRequiredFields(chunk, rows, info.columns));
    }
    chunks.push_back(std::move(chunk));
  }
  return arrow::Table::FromRecordBatches(chunks);
}

}  // namespace df::testing
