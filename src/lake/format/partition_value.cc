#include "lake/format/partition_value.h"

#include <exception>
#include <memory>

#include <fmt/format.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

namespace df::lake {

namespace {

std::optional<std::string> FindOnlyValue(const parquet::FileMetaData& metadata,
                                         const std::string& column) {
  const int index = metadata.schema()->ColumnIndex(column);
  if (index < 0 || metadata.schema()->Column(index)->physical_type() != parquet::Type::BYTE_ARRAY ||
      metadata.schema()->Column(index)->max_repetition_level() > 0) {
    return std::nullopt;
  }
  std::optional<std::string> only;
  for (int group = 0; group < metadata.num_row_groups(); ++group) {
    const auto row_group = metadata.RowGroup(group);
    if (row_group->num_rows() == 0) {
      continue;
    }
    const auto statistics = row_group->ColumnChunk(index)->statistics();
    if (statistics == nullptr || !statistics->HasMinMax() || !statistics->HasNullCount() ||
        statistics->null_count() != 0 || statistics->EncodeMin() != statistics->EncodeMax() ||
        (only.has_value() && *only != statistics->EncodeMin())) {
      return std::nullopt;
    }
    only = statistics->EncodeMin();
  }
  return only;
}

}  // namespace

std::optional<std::string> OnlyValueOf(const parquet::FileMetaData& metadata,
                                       const std::string& column) {
  try {
    return FindOnlyValue(metadata, column);
  } catch (const std::exception&) {
    return std::nullopt;  // statistics that are damaged or encrypted
  }
}

std::string EscapePartitionValue(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '/' || c == '=' || c == '%') {
      text += fmt::format("%{:02X}", byte);
    } else {
      text += c;
    }
  }
  return text;
}

bool IsToldByPartition(const parquet::FileMetaData& metadata, const std::string& column,
                       std::string_view partition) {
  while (!partition.empty()) {
    const std::string_view level = partition.substr(0, partition.find('/'));
    if (level.starts_with(column) && level.substr(column.size()).starts_with('=')) {
      const auto only = OnlyValueOf(metadata, column);
      return only.has_value() && EscapePartitionValue(*only) == level.substr(column.size() + 1);
    }
    partition.remove_prefix(level.size() == partition.size() ? level.size() : level.size() + 1);
  }
  return false;
}

}  // namespace df::lake
