#include "otap/row_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "otap/rows.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

/// A number for each row that orders as the values do and is equal where they are.
using Ranks = std::vector<uint32_t>;

constexpr uint32_t kNullRank = UINT32_MAX;

/// Maps doubles to numbers that order as IEEE total order does (format reference P40).
uint64_t TotalOrder(double value) {
  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t sign = uint64_t{1} << 63;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

/// Ranks values that are too wide to be ranks themselves.
template <typename Value>
Ranks RankValues(const arrow::Array& array, const Value& value) {
  using T = std::decay_t<decltype(value(int64_t{0}))>;
  std::vector<std::pair<T, uint32_t>> order;
  order.reserve(static_cast<size_t>(array.length()));
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsValid(row)) {
      order.emplace_back(value(row), static_cast<uint32_t>(row));
    }
  }
  std::sort(order.begin(), order.end());
  Ranks ranks(static_cast<size_t>(array.length()), kNullRank);
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    rank += i > 0 && order[i - 1].first != order[i].first ? 1 : 0;
    ranks[order[i].second] = rank;
  }
  return ranks;
}

/// Takes small values as their own ranks.
template <typename ArrayType>
Ranks TakeValues(const arrow::Array& array) {
  const auto& values = checked_cast<const ArrayType&>(array);
  Ranks ranks(static_cast<size_t>(array.length()));
  for (int64_t row = 0; row < array.length(); ++row) {
    ranks[static_cast<size_t>(row)] =
        array.IsNull(row) ? kNullRank : static_cast<uint32_t>(values.Value(row));
  }
  return ranks;
}

arrow::Result<Ranks> RankRows(const arrow::Array& array) {
  switch (array.type_id()) {
    case arrow::Type::UINT8:
      return TakeValues<arrow::UInt8Array>(array);
    case arrow::Type::UINT16:
      return TakeValues<arrow::UInt16Array>(array);
    case arrow::Type::UINT32:
      return TakeValues<arrow::UInt32Array>(array);
    case arrow::Type::BOOL:
      return TakeValues<arrow::BooleanArray>(array);
    case arrow::Type::INT64: {
      const auto& values = checked_cast<const arrow::Int64Array&>(array);
      return RankValues(array, [&](int64_t row) { return values.Value(row); });
    }
    case arrow::Type::DOUBLE: {
      const auto& values = checked_cast<const arrow::DoubleArray&>(array);
      return RankValues(array, [&](int64_t row) { return TotalOrder(values.Value(row)); });
    }
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const auto& values = checked_cast<const arrow::BinaryArray&>(array);
      return RankValues(array, [&](int64_t row) { return values.GetView(row); });
    }
    case arrow::Type::FIXED_SIZE_BINARY: {
      const auto& values = checked_cast<const arrow::FixedSizeBinaryArray&>(array);
      return RankValues(array, [&](int64_t row) { return values.GetView(row); });
    }
    case arrow::Type::DICTIONARY: {
      const auto& coded = checked_cast<const arrow::DictionaryArray&>(array);
      ARROW_ASSIGN_OR_RAISE(const Ranks entries, RankRows(*coded.dictionary()));
      Ranks ranks(static_cast<size_t>(array.length()), kNullRank);
      for (int64_t row = 0; row < array.length(); ++row) {
        if (array.IsValid(row)) {
          ranks[static_cast<size_t>(row)] = entries[static_cast<size_t>(coded.GetValueIndex(row))];
        }
      }
      return ranks;
    }
    default:
      return arrow::Status::Invalid(array.type()->ToString(), " is no type to sort by");
  }
}

arrow::Result<Ranks> RankColumn(const TablePtr& table, std::string_view name) {
  const auto array = FindArray(table, name);
  if (array == nullptr) {
    return Ranks(static_cast<size_t>(table->num_rows()), kNullRank);
  }
  return RankRows(*array);
}

/// Ranks the value that each row of an attribute table has; values of types whose runs are never
/// continued do not order.
arrow::Result<Ranks> RankActiveValues(const TablePtr& table) {
  static constexpr std::array<std::string_view, 8> kValue = {"",     "str", "int", "double",
                                                             "bool", "",    "",    "bytes"};
  ARROW_ASSIGN_OR_RAISE(const Ranks types, RankColumn(table, "type"));
  Ranks ranks(types.size(), kNullRank);
  for (size_t type = 0; type < kValue.size(); ++type) {
    if (kValue[type].empty() || FindArray(table, kValue[type]) == nullptr) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const Ranks values, RankColumn(table, kValue[type]));
    for (size_t row = 0; row < ranks.size(); ++row) {
      ranks[row] = types[row] == type ? values[row] : ranks[row];
    }
  }
  return ranks;
}

arrow::Result<Ranks> RankGroups(const TablePtr& table, std::string_view group) {
  const auto ids = StoredGroupIds(table, group);
  return ids == nullptr ? Ranks(static_cast<size_t>(table->num_rows()), kNullRank) : RankRows(*ids);
}

/// The columns that a table is sorted by, most significant first.
arrow::Result<std::vector<Ranks>> SortKeys(const TableInfo& info, const TablePtr& table) {
  std::vector<Ranks> keys;
  const auto add = [&keys](arrow::Result<Ranks> ranks) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(keys.emplace_back(), std::move(ranks));
    return arrow::Status::OK();
  };
  if (info.is_root()) {
    ARROW_RETURN_NOT_OK(add(RankGroups(table, "resource")));
    ARROW_RETURN_NOT_OK(add(RankGroups(table, "scope")));
    if (info.kind == TableKind::kUnivariateMetrics) {
      ARROW_RETURN_NOT_OK(add(RankColumn(table, "metric_type")));
    }
    if (info.kind != TableKind::kLogs) {
      ARROW_RETURN_NOT_OK(add(RankColumn(table, "name")));
    }
    if (info.kind != TableKind::kUnivariateMetrics) {
      ARROW_RETURN_NOT_OK(add(RankColumn(table, "trace_id")));
    }
    return keys;
  }
  if (info.is_attributes) {
    ARROW_RETURN_NOT_OK(add(RankColumn(table, "type")));
    ARROW_RETURN_NOT_OK(add(RankColumn(table, "key")));
    ARROW_RETURN_NOT_OK(add(RankActiveValues(table)));
  }
  for (const std::string_view name : info.quasi_delta_key) {
    if (!name.empty()) {
      ARROW_RETURN_NOT_OK(add(RankColumn(table, name)));
    }
  }
  ARROW_RETURN_NOT_OK(add(RankColumn(table, "parent_id")));
  return keys;
}

/// Up to four ranks in one number of 128 bits, and the row that they are of.
struct PackedRow {
  uint64_t high = 0;
  uint64_t low = 0;
  uint32_t row = 0;

  auto operator<=>(const PackedRow&) const = default;
};

std::vector<PackedRow> PackRows(const std::vector<Ranks>& keys, size_t num_rows) {
  std::vector<PackedRow> rows(num_rows);
  for (size_t key = 0; key < keys.size(); ++key) {
    uint64_t PackedRow::* const half = key < 2 ? &PackedRow::high : &PackedRow::low;
    const int shift = key % 2 == 0 ? 32 : 0;
    for (size_t row = 0; row < num_rows; ++row) {
      rows[row].*half |= static_cast<uint64_t>(keys[key][row]) << shift;
    }
  }
  for (size_t row = 0; row < num_rows; ++row) {
    rows[row].row = static_cast<uint32_t>(row);
  }
  return rows;
}

}  // namespace

arrow::Result<TablePtr> SortForTransport(TableKind kind, const TablePtr& table) {
  const TableInfo& info = GetTable(kind);
  const auto keys = SortKeys(info, table);
  if (!keys.ok()) {
    return arrow::Status::Invalid(
        fmt::format("table {}: {}", info.directory, keys.status().message()));
  }
  std::vector<PackedRow> rows = PackRows(*keys, static_cast<size_t>(table->num_rows()));
  if (std::is_sorted(rows.begin(), rows.end())) {
    return table;
  }
  std::sort(rows.begin(), rows.end());
  arrow::UInt32Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(table->num_rows()));
  for (const PackedRow& row : rows) {
    builder.UnsafeAppend(row.row);
  }
  ARROW_ASSIGN_OR_RAISE(const auto order, builder.Finish());
  ARROW_ASSIGN_OR_RAISE(
      const arrow::Datum sorted,
      arrow::compute::Take(table, order, arrow::compute::TakeOptions::NoBoundsCheck()));
  return sorted.record_batch();
}

}  // namespace df::otap
