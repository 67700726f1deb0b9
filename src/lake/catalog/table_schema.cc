#include "lake/catalog/table_schema.h"

#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/types.h>
#include <parquet/xxhasher.h>

#include "base/text.h"

namespace df::lake {
namespace {

std::string DescribeColumn(const parquet::ColumnDescriptor& column) {
  std::string text = fmt::format("{} {}", PrintableText(column.path()->ToDotString()),
                                 parquet::TypeToString(column.physical_type()));
  if (column.physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY) {
    text += fmt::format("({})", column.type_length());
  }
  if (const auto& logical = column.logical_type(); logical != nullptr && !logical->is_none()) {
    text += " " + logical->ToString();
  }
  text += column.max_repetition_level() > 0   ? " repeated"
          : column.max_definition_level() > 0 ? " optional"
                                              : " required";
  return text;
}

std::pair<std::string_view, std::string_view> NameAndType(std::string_view column) {
  const size_t space = column.find(' ');
  return {column.substr(0, space), column.substr(std::min(space + 1, column.size()))};
}

std::map<std::string_view, std::string_view> ByName(const TableSchema& schema) {
  std::map<std::string_view, std::string_view> columns;
  for (const std::string& column : schema.columns) {
    columns.insert(NameAndType(column));
  }
  return columns;
}

}  // namespace

TableSchema SchemaWith(otap::TableKind table, std::vector<std::string> columns) {
  std::string all;
  for (const std::string& column : columns) {
    all += column;
    all += '\n';
  }
  return {.table = table,
          .fingerprint = fmt::format("{:016x}", parquet::XxHasher().Hash(std::string_view(all))),
          .columns = std::move(columns)};
}

TableSchema SchemaOf(otap::TableKind table, const parquet::FileMetaData& metadata) {
  std::vector<std::string> columns;
  columns.reserve(static_cast<size_t>(metadata.num_columns()));
  for (int i = 0; i < metadata.num_columns(); ++i) {
    columns.push_back(DescribeColumn(*metadata.schema()->Column(i)));
  }
  return SchemaWith(table, std::move(columns));
}

std::string DescribeChange(const TableSchema& before, const TableSchema& after) {
  const auto old_columns = ByName(before);
  const auto new_columns = ByName(after);
  std::vector<std::string> changes;
  for (const auto& [name, type] : new_columns) {
    const auto old = old_columns.find(name);
    if (old == old_columns.end()) {
      changes.push_back(fmt::format("added {} ({})", name, type));
    } else if (old->second != type) {
      changes.push_back(fmt::format("{} is {} and was {}", name, type, old->second));
    }
  }
  for (const auto& [name, type] : old_columns) {
    if (!new_columns.contains(name)) {
      changes.push_back(fmt::format("removed {}", name));
    }
  }
  if (changes.empty()) {
    return before.fingerprint == after.fingerprint ? "nothing" : "the order of its columns";
  }
  std::string text;
  for (size_t i = 0; i < std::min(changes.size(), kMostChanges); ++i) {
    text += (i == 0 ? "" : "; ") + changes[i];
  }
  if (changes.size() > kMostChanges) {
    text += fmt::format("; and {} more", changes.size() - kMostChanges);
  }
  return text;
}

}  // namespace df::lake
