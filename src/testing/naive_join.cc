#include "testing/naive_join.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include <arrow/util/logging.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "otap/schema.h"
#include "testing/cell.h"

namespace df::testing {
namespace {

using otap::Column;
using otap::TableInfo;
using otap::TableKind;

bool IsDefault(const Cell& cell, const Column& column) {
  struct Tester {
    bool is_fixed;
    bool operator()(std::monostate) const { return true; }
    bool operator()(bool value) const { return !value; }
    bool operator()(int64_t value) const { return value == 0; }
    bool operator()(uint64_t value) const { return value == 0; }
    bool operator()(double value) const { return value == 0 && !std::signbit(value); }
    bool operator()(const std::string& value) const {
      return value.empty() || (is_fixed && value.find_first_not_of('\0') == std::string::npos);
    }
    bool operator()(const std::vector<uint64_t>& list) const { return list.empty(); }
    bool operator()(const std::vector<double>& list) const { return list.empty(); }
    bool operator()(const std::vector<QuantileCell>& list) const { return list.empty(); }
  };
  const bool is_fixed = column.type == otap::ColumnType::kFixedBinary8 ||
                        column.type == otap::ColumnType::kFixedBinary16;
  return std::visit(Tester{is_fixed}, cell);
}

/// Tells whether "set to zero" is more than "not set".
bool KeepsPresence(TableKind table, std::string_view column) {
  if (column == "int_value" || column == "double_value") {
    return true;
  }
  const bool is_histogram =
      table == TableKind::kHistogramDataPoints || table == TableKind::kExpHistogramDataPoints;
  return is_histogram && (column == "sum" || column == "min" || column == "max");
}

class Joiner {
 public:
  explicit Joiner(const otap::Batch& batch) : signal_(batch.signal()) {
    ARROW_CHECK(batch.id_encoding() == otap::IdEncoding::kPlain) << "needs plain ids";
    for (const TableInfo& info : otap::AllTables()) {
      if (batch.table(info.kind) == nullptr) {
        continue;
      }
      CellTable table = ReadCells(*batch.table(info.kind)).ValueOrDie();
      if (const CellColumn* parents = FindCells(table.columns, "parent_id")) {
        for (size_t row = 0; row < parents->cells.size(); ++row) {
          if (const auto* parent = std::get_if<uint64_t>(&parents->cells[row])) {
            children_[info.kind].emplace(*parent, row);
          }
        }
      }
      tables_.emplace(info.kind, std::move(table));
    }
  }

  void AppendRecords(std::vector<std::string>& lines) const {
    const TableInfo& root = otap::GetTable(otap::RootTable(signal_));
    const auto found = tables_.find(root.kind);
    if (found == tables_.end()) {
      return;
    }
    for (size_t row = 0; row < static_cast<size_t>(found->second.num_rows); ++row) {
      const std::string text = RowText(root, row);
      const std::vector<std::string> points = PointTexts(root, row);
      if (signal_ == otap::Signal::kMetrics && !points.empty()) {
        for (const std::string& point : points) {
          lines.push_back(text + " " + point);
        }
      } else {
        lines.push_back(text);
      }
    }
  }

 private:
  static bool IsPoints(const TableInfo& info) {
    return info.parent == TableKind::kUnivariateMetrics && !info.is_attributes;
  }

  /// Returns the cell, or null when the column is absent.
  static Cell At(const std::vector<CellColumn>& columns, std::string_view name, size_t row) {
    const CellColumn* column = FindCells(columns, name);
    return column == nullptr ? Cell() : column->cells[row];
  }

  /// Writes a row, its resource and scope, and everything below it except data points.
  std::string RowText(const TableInfo& info, size_t row) const {
    const CellTable& table = tables_.at(info.kind);
    std::string text = std::string(info.directory) + "{";
    if (info.is_attributes) {
      text += "key=" + CellText(At(table.columns, "key", row)) +
              " value=" + AnyValueText(table.columns, row);
      return text + "}";
    }
    text += FieldsText(info.kind, info.columns, table.columns, row);
    const Cell id = At(table.columns, "id", row);
    for (const TableInfo& child : otap::AllTables()) {
      if (child.parent == info.kind && !IsPoints(child)) {
        text += ListText(child, id);
      }
    }
    return text + "}";
  }

  std::string FieldsText(TableKind kind, std::span<const Column> infos,
                         const std::vector<CellColumn>& columns, size_t row) const {
    std::string text;
    for (const Column& info : infos) {
      const CellColumn* column = FindCells(columns, info.name);
      if (column == nullptr || info.role != otap::ColumnRole::kData) {
        continue;
      }
      const Cell& cell = column->cells[row];
      if (info.type == otap::ColumnType::kStruct) {
        text += IsNull(cell) ? "" : StructText(kind, info, *column, row);
      } else if (!IsDefault(cell, info) || (KeepsPresence(kind, info.name) && !IsNull(cell))) {
        text += fmt::format("{}={} ", info.name, CellText(cell));
      }
    }
    return text;
  }

  std::string StructText(TableKind kind, const Column& info, const CellColumn& column,
                         size_t row) const {
    std::string text;
    if (info.name == "body") {
      text = AnyValueText(column.children, row);
      return text == "empty" ? "" : "body=" + text + " ";
    }
    text = FieldsText(kind, info.children, column.children, row);
    if (info.name == "resource" || info.name == "scope") {
      const TableKind attributes =
          info.name == "resource" ? TableKind::kResourceAttrs : TableKind::kScopeAttrs;
      text += ListText(otap::GetTable(attributes), At(column.children, "id", row));
    }
    return text.empty() ? "" : fmt::format("{}={{{}}} ", info.name, text);
  }

  static std::string AnyValueText(const std::vector<CellColumn>& columns, size_t row) {
    static constexpr std::array<std::string_view, 8> kActive = {"",     "str", "int", "double",
                                                                "bool", "ser", "ser", "bytes"};
    const Cell type_cell = At(columns, "type", row);
    const uint64_t type = IsNull(type_cell) ? 0 : std::get<uint64_t>(type_cell);
    if (type == 0) {
      return "empty";
    }
    if (type >= kActive.size()) {
      return fmt::format("invalid-type-{}", type);
    }
    const Column& info =
        *otap::FindColumn(otap::GetTable(TableKind::kLogAttrs).columns, kActive[type]);
    const Cell value = At(columns, kActive[type], row);
    // Types 1, 2, 3 and 7 mean their default when the value is null; booleans only where the column
    // is missing.
    if (type == 4 && FindCells(columns, kActive[type]) == nullptr) {
      return "4:false";
    }
    const bool is_default = type != 4 && IsDefault(value, info);
    return fmt::format("{}:{}", type, is_default ? "default" : CellText(value));
  }

  /// Writes all rows of a table below one parent, in the order of their texts.
  std::string ListText(const TableInfo& info, const Cell& parent_id) const {
    const std::vector<std::string> texts = ChildTexts(info, parent_id);
    return texts.empty() ? "" : fmt::format("[{}] ", fmt::join(texts, ", "));
  }

  std::vector<std::string> ChildTexts(const TableInfo& info, const Cell& parent_id) const {
    std::vector<std::string> texts;
    const auto rows = children_.find(info.kind);
    if (IsNull(parent_id) || rows == children_.end()) {
      return texts;
    }
    const auto [begin, end] = rows->second.equal_range(std::get<uint64_t>(parent_id));
    for (auto child = begin; child != end; ++child) {
      texts.push_back(RowText(info, child->second));
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  std::vector<std::string> PointTexts(const TableInfo& root, size_t row) const {
    std::vector<std::string> texts;
    const Cell id = At(tables_.at(root.kind).columns, "id", row);
    for (const TableInfo& info : otap::AllTables()) {
      if (IsPoints(info)) {
        const std::vector<std::string> points = ChildTexts(info, id);
        texts.insert(texts.end(), points.begin(), points.end());
      }
    }
    return texts;
  }

  otap::Signal signal_;
  std::map<TableKind, CellTable> tables_;
  std::map<TableKind, std::multimap<uint64_t, size_t>> children_;
};

}  // namespace

std::vector<std::string> CanonicalRecords(const std::vector<otap::BatchPtr>& batches) {
  std::vector<std::string> lines;
  for (const otap::BatchPtr& batch : batches) {
    Joiner(*batch).AppendRecords(lines);
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string DescribeDifference(const std::vector<std::string>& expected,
                               const std::vector<std::string>& actual, size_t limit) {
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  std::set_difference(expected.begin(), expected.end(), actual.begin(), actual.end(),
                      std::back_inserter(missing));
  std::set_difference(actual.begin(), actual.end(), expected.begin(), expected.end(),
                      std::back_inserter(extra));
  if (missing.empty() && extra.empty()) {
    return "";
  }
  std::string text = fmt::format("{} expected and {} actual lines, {} missing, {} extra\n",
                                 expected.size(), actual.size(), missing.size(), extra.size());
  for (size_t i = 0; i < std::min(limit / 2, missing.size()); ++i) {
    text += "- " + missing[i] + "\n";
  }
  for (size_t i = 0; i < std::min(limit / 2, extra.size()); ++i) {
    text += "+ " + extra[i] + "\n";
  }
  return text;
}

}  // namespace df::testing
