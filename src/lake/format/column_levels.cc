#include "lake/format/column_levels.h"

#include <algorithm>
#include <array>
#include <utility>

#include <arrow/status.h>
#include <fmt/format.h>

namespace df::lake {
namespace {

constexpr int64_t kBlock = 1024;

template <typename PhysicalType>
arrow::Result<bool> Scan(parquet::ColumnReader& reader, const parquet::ColumnDescriptor& descriptor,
                         int16_t level, int64_t num_rows) {
  auto& typed = static_cast<parquet::TypedColumnReader<PhysicalType>&>(reader);
  const bool has_definitions = descriptor.max_definition_level() > 0;
  const bool has_repetitions = descriptor.max_repetition_level() > 0;
  std::array<int16_t, kBlock> definitions{};
  std::array<int16_t, kBlock> repetitions{};
  const auto values = std::make_unique<typename PhysicalType::c_type[]>(kBlock);
  int64_t rows = 0;
  while (rows < num_rows && typed.HasNext()) {
    int64_t num_values = 0;
    const int64_t count =
        typed.ReadBatch(kBlock, definitions.data(), repetitions.data(), values.get(), &num_values);
    if (count <= 0) {
      break;
    }
    if (!has_definitions || std::any_of(definitions.begin(), definitions.begin() + count,
                                        [level](int16_t found) { return found >= level; })) {
      return true;
    }
    rows += has_repetitions
                ? std::count(repetitions.begin(), repetitions.begin() + count, int16_t{0})
                : count;
  }
  if (rows < num_rows) {
    return arrow::Status::Invalid(fmt::format("column {}: has {} rows, expected {}",
                                              descriptor.path()->ToDotString(), rows, num_rows));
  }
  return false;
}

}  // namespace

arrow::Result<bool> HasLevel(std::unique_ptr<parquet::PageReader> pages,
                             const parquet::ColumnDescriptor& descriptor, int16_t level,
                             int64_t num_rows) {
  const auto reader = parquet::ColumnReader::Make(&descriptor, std::move(pages));
  switch (descriptor.physical_type()) {
    case parquet::Type::BOOLEAN:
      return Scan<parquet::BooleanType>(*reader, descriptor, level, num_rows);
    case parquet::Type::INT32:
      return Scan<parquet::Int32Type>(*reader, descriptor, level, num_rows);
    case parquet::Type::INT64:
      return Scan<parquet::Int64Type>(*reader, descriptor, level, num_rows);
    case parquet::Type::INT96:
      return Scan<parquet::Int96Type>(*reader, descriptor, level, num_rows);
    case parquet::Type::FLOAT:
      return Scan<parquet::FloatType>(*reader, descriptor, level, num_rows);
    case parquet::Type::DOUBLE:
      return Scan<parquet::DoubleType>(*reader, descriptor, level, num_rows);
    case parquet::Type::BYTE_ARRAY:
      return Scan<parquet::ByteArrayType>(*reader, descriptor, level, num_rows);
    case parquet::Type::FIXED_LEN_BYTE_ARRAY:
      return Scan<parquet::FLBAType>(*reader, descriptor, level, num_rows);
    default:
      return arrow::Status::Invalid(
          fmt::format("column {}: has no type", descriptor.path()->ToDotString()));
  }
}

}  // namespace df::lake
