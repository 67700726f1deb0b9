// Sets of rows and of ids: what the operations on batches select and join by.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>

#include "otap/batch.h"

namespace df::otap {

/// Some rows of a table, one bit each.
class RowSet {
 public:
  /// No row of `num_rows`, or every one.
  explicit RowSet(int64_t num_rows, bool all = false);

  int64_t num_rows() const { return num_rows_; }
  void Set(int64_t row) { words_[Word(row)] |= Bit(row); }
  void Clear(int64_t row) { words_[Word(row)] &= ~Bit(row); }
  bool Has(int64_t row) const { return (words_[Word(row)] & Bit(row)) != 0; }
  int64_t Count() const;

  /// Set operations; both sets are of the same table.
  void Intersect(const RowSet& other);
  void Unite(const RowSet& other);
  void Invert();

  /// Sets the rows for which `test(row)` is true. Cost: one store for 64 rows.
  template <typename Test>
  void SetWhere(const Test& test) {
    for (size_t word = 0; word < words_.size(); ++word) {
      const int64_t begin = static_cast<int64_t>(word) * 64;
      const int64_t count = std::min<int64_t>(64, num_rows_ - begin);
      uint64_t bits = 0;
      for (int64_t i = 0; i < count; ++i) {
        bits |= static_cast<uint64_t>(test(begin + i)) << i;
      }
      words_[word] |= bits;
    }
  }

  /// Calls `visit(row)` for every row of the set, ascending.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (size_t word = 0; word < words_.size(); ++word) {
      for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        visit(static_cast<int64_t>(word) * 64 + std::countr_zero(bits));
      }
    }
  }

  /// The bits, the lowest first, as Arrow has them.
  const uint8_t* bitmap() const { return reinterpret_cast<const uint8_t*>(words_.data()); }

 private:
  static size_t Word(int64_t row) { return static_cast<size_t>(row) / 64; }
  static uint64_t Bit(int64_t row) { return uint64_t{1} << (row % 64); }

  int64_t num_rows_;
  std::vector<uint64_t> words_;
};

/// A set of ids: a bitmap where they are dense, a hash set where they are not.
class IdSet {
 public:
  IdSet() = default;
  /// Makes room for `count` ids up to `largest`.
  IdSet(int64_t count, uint32_t largest);

  void Insert(uint32_t id) {
    if (is_dense_) {
      words_[id / 64] |= uint64_t{1} << (id % 64);
    } else {
      sparse_.insert(id);
    }
  }
  bool Contains(uint32_t id) const {
    return is_dense_ ? id / 64 < words_.size() && (words_[id / 64] >> (id % 64) & 1) != 0
                     : sparse_.contains(id);
  }

 private:
  bool is_dense_ = true;
  std::vector<uint64_t> words_;
  std::unordered_set<uint32_t> sparse_;
};

/// Calls `visit(row, id)` for every id of an id or parent_id column that is not null.
template <typename Visit>
void VisitIds(const arrow::Array& array, const Visit& visit) {
  using arrow::internal::checked_cast;
  const auto walk = [&](const auto& id_at) {
    const bool has_nulls = array.null_count() != 0;
    for (int64_t row = 0; row < array.length(); ++row) {
      if (!has_nulls || array.IsValid(row)) {
        visit(row, static_cast<uint32_t>(id_at(row)));
      }
    }
  };
  if (array.type_id() == arrow::Type::UINT16) {
    const uint16_t* ids = checked_cast<const arrow::UInt16Array&>(array).raw_values();
    walk([ids](int64_t row) { return ids[row]; });
  } else if (array.type_id() == arrow::Type::UINT32) {
    const uint32_t* ids = checked_cast<const arrow::UInt32Array&>(array).raw_values();
    walk([ids](int64_t row) { return ids[row]; });
  } else {
    const auto& coded = checked_cast<const arrow::DictionaryArray&>(array);
    const uint32_t* ids = checked_cast<const arrow::UInt32Array&>(*coded.dictionary()).raw_values();
    if (coded.indices()->type_id() == arrow::Type::UINT8) {
      const uint8_t* keys = checked_cast<const arrow::UInt8Array&>(*coded.indices()).raw_values();
      walk([ids, keys](int64_t row) { return ids[keys[row]]; });
    } else {
      const uint16_t* keys = checked_cast<const arrow::UInt16Array&>(*coded.indices()).raw_values();
      walk([ids, keys](int64_t row) { return ids[keys[row]]; });
    }
  }
}

/// Returns the largest id of a column, 0 when there is none.
uint32_t LargestId(const arrow::Array& ids);

/// Returns the ids of a column, or those of some of its rows. Null for the column gives no ids.
IdSet CollectIds(const arrow::Array* ids);
IdSet CollectIds(const arrow::Array* ids, const RowSet& rows);

/// Returns the rows whose id is in the set; a null id is in none.
RowSet RowsWithIds(const arrow::Array& ids, const IdSet& set);

/// Returns a column of a table, or null where the table or the column is absent.
std::shared_ptr<arrow::Array> FindArray(const std::shared_ptr<arrow::RecordBatch>& table,
                                        std::string_view name);

/// Returns the ids that tie the rows of a root table to attributes of `group`, "resource" or
/// "scope": null in rows without one, and null altogether where the column is absent.
std::shared_ptr<arrow::Array> GroupIds(const std::shared_ptr<arrow::RecordBatch>& root,
                                       std::string_view group);

/// The same as they are stored: also ids below rows without a group.
std::shared_ptr<arrow::Array> StoredGroupIds(const std::shared_ptr<arrow::RecordBatch>& root,
                                             std::string_view group);

/// The struct columns of a root table whose ids tie it to attribute tables.
struct GroupTable {
  std::string_view group;
  TableKind attributes;
};
inline constexpr std::array<GroupTable, 2> kGroupTables = {{
    {"resource", TableKind::kResourceAttrs},
    {"scope", TableKind::kScopeAttrs},
}};

/// Returns the rows of a set, in their order; null when there is none, and the same table when all
/// are kept. Dictionaries stay as they are. Errors: those of Arrow.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> SelectRows(
    const std::shared_ptr<arrow::RecordBatch>& table, const RowSet& rows);

}  // namespace df::otap
