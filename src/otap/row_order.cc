#include "otap/row_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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
  if (array.null_count() == 0) {
    for (size_t row = 0; row < ranks.size(); ++row) {
      ranks[row] = static_cast<uint32_t>(values.Value(static_cast<int64_t>(row)));
    }
    return ranks;
  }
  for (int64_t row = 0; row < array.length(); ++row) {
    ranks[static_cast<size_t>(row)] =
        array.IsNull(row) ? kNullRank : static_cast<uint32_t>(values.Value(row));
  }
  return ranks;
}

arrow::Result<Ranks> RankCoded(const arrow::DictionaryArray& coded);

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
    case arrow::Type::DICTIONARY:
      return RankCoded(checked_cast<const arrow::DictionaryArray&>(array));
    default:
      return arrow::Status::Invalid(array.type()->ToString(), " is no type to sort by");
  }
}

/// Ranks rows by what their indices stand for. Of a dictionary that is longer than the column, as
/// one that a stream collects, only the entries in use are looked at.
arrow::Result<Ranks> RankCoded(const arrow::DictionaryArray& coded) {
  std::shared_ptr<arrow::Array> entries = coded.dictionary();
  ARROW_ASSIGN_OR_RAISE(Ranks ranks, RankRows(*coded.indices()));
  if (entries->length() > coded.length()) {
    Ranks used;
    std::copy_if(ranks.begin(), ranks.end(), std::back_inserter(used),
                 [](uint32_t index) { return index != kNullRank; });
    std::sort(used.begin(), used.end());
    used.erase(std::unique(used.begin(), used.end()), used.end());
    for (uint32_t& index : ranks) {
      const auto place = std::lower_bound(used.begin(), used.end(), index);
      index = index == kNullRank ? kNullRank : static_cast<uint32_t>(place - used.begin());
    }
    const arrow::UInt32Array indices(static_cast<int64_t>(used.size()),
                                     arrow::Buffer::Wrap(used.data(), used.size()));
    ARROW_ASSIGN_OR_RAISE(
        entries,
        arrow::compute::Take(*entries, indices, arrow::compute::TakeOptions::NoBoundsCheck()));
  }
  ARROW_ASSIGN_OR_RAISE(const Ranks entry_ranks, RankRows(*entries));
  for (uint32_t& rank : ranks) {
    rank = rank == kNullRank ? kNullRank : entry_ranks[rank];
  }
  return ranks;
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

/// How many bits each key needs when nulls count as one more than its largest rank.
std::vector<int> BitsOf(const std::vector<Ranks>& keys) {
  std::vector<int> bits;
  for (const Ranks& ranks : keys) {
    uint32_t end = 0;  // one past the largest rank
    for (const uint32_t rank : ranks) {
      end = std::max(end, rank + 1);  // a null is none: it wraps to 0
    }
    bits.push_back(std::bit_width(end));
  }
  return bits;
}

/// The keys of each row in one number, the most significant first, and the row in the lowest bits.
std::vector<uint64_t> PackRows(const std::vector<Ranks>& keys, const std::vector<int>& bits,
                               size_t num_rows, int row_bits) {
  std::vector<uint64_t> packed(num_rows, 0);
  for (size_t key = 0; key < keys.size(); ++key) {
    const uint64_t null_rank = (uint64_t{1} << bits[key]) - 1;
    for (size_t row = 0; row < num_rows; ++row) {
      const uint32_t rank = keys[key][row];
      packed[row] = packed[row] << bits[key] | (rank == kNullRank ? null_rank : rank);
    }
  }
  for (size_t row = 0; row < num_rows; ++row) {
    packed[row] = packed[row] << row_bits | row;
  }
  return packed;
}

/// Sorts by the bits from `begin_bit` to `end_bit`, and keeps equal ones in their order.
void RadixSort(int begin_bit, int end_bit, std::vector<uint64_t>* numbers) {
  constexpr int kDigitBits = 8;
  std::vector<uint64_t> other(numbers->size());
  for (int shift = begin_bit; shift < end_bit; shift += kDigitBits) {
    const int width = std::min(kDigitBits, end_bit - shift);
    const uint64_t mask = (uint64_t{1} << width) - 1;
    std::array<size_t, size_t{1} << kDigitBits> begins{};
    for (const uint64_t number : *numbers) {
      ++begins[number >> shift & mask];
    }
    size_t begin = 0;
    for (size_t& place : begins) {
      begin += std::exchange(place, begin);
    }
    for (const uint64_t number : *numbers) {
      other[begins[number >> shift & mask]++] = number;
    }
    numbers->swap(other);
  }
}

/// Rows of tables whose keys do not fit one number.
std::vector<uint32_t> SortWide(const std::vector<Ranks>& keys, size_t num_rows) {
  std::vector<uint32_t> order(num_rows);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    for (const Ranks& ranks : keys) {
      if (ranks[a] != ranks[b]) {
        return ranks[a] < ranks[b];
      }
    }
    return a < b;
  });
  return order;
}

/// Returns the rows in the order of their keys, equal ones as they are.
std::vector<uint32_t> SortRows(const std::vector<Ranks>& keys, size_t num_rows) {
  constexpr size_t kFewRows = 256;  // below, passes over all digits cost more than comparisons
  const std::vector<int> bits = BitsOf(keys);
  const int row_bits = std::bit_width(num_rows);
  const int all_bits = std::accumulate(bits.begin(), bits.end(), row_bits);
  if (all_bits > 64) {
    return SortWide(keys, num_rows);
  }
  std::vector<uint64_t> packed = PackRows(keys, bits, num_rows, row_bits);
  if (std::is_sorted(packed.begin(), packed.end())) {
    // As it is.
  } else if (num_rows < kFewRows) {
    std::sort(packed.begin(), packed.end());
  } else {
    RadixSort(row_bits, all_bits, &packed);
  }
  std::vector<uint32_t> order(num_rows);
  const uint64_t mask = (uint64_t{1} << row_bits) - 1;
  std::transform(packed.begin(), packed.end(), order.begin(),
                 [mask](uint64_t number) { return static_cast<uint32_t>(number & mask); });
  return order;
}

}  // namespace

arrow::Result<TablePtr> SortForTransport(TableKind kind, const TablePtr& table) {
  const TableInfo& info = GetTable(kind);
  const auto keys = SortKeys(info, table);
  if (!keys.ok()) {
    return arrow::Status::Invalid(
        fmt::format("table {}: {}", info.directory, keys.status().message()));
  }
  const std::vector<uint32_t> order = SortRows(*keys, static_cast<size_t>(table->num_rows()));
  if (std::is_sorted(order.begin(), order.end())) {
    return table;
  }
  const auto rows = std::make_shared<arrow::UInt32Array>(
      table->num_rows(), arrow::Buffer::Wrap(order.data(), order.size()));
  ARROW_ASSIGN_OR_RAISE(
      const arrow::Datum sorted,
      arrow::compute::Take(table, rows, arrow::compute::TakeOptions::NoBoundsCheck()));
  return sorted.record_batch();
}

}  // namespace df::otap
