#include "otap/rows.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>

#include "base/error.h"

namespace df::otap {

using arrow::internal::checked_cast;

RowSet::RowSet(int64_t num_rows, bool all)
    : num_rows_(num_rows), words_(static_cast<size_t>(num_rows + 63) / 64) {
  if (all) {
    Invert();
  }
}

int64_t RowSet::Count() const {
  int64_t count = 0;
  for (const uint64_t word : words_) {
    count += std::popcount(word);
  }
  return count;
}

void RowSet::Intersect(const RowSet& other) {
  for (size_t i = 0; i < words_.size(); ++i) {
    words_[i] &= other.words_[i];
  }
}

void RowSet::Unite(const RowSet& other) {
  for (size_t i = 0; i < words_.size(); ++i) {
    words_[i] |= other.words_[i];
  }
}

void RowSet::Invert() {
  for (uint64_t& word : words_) {
    word = ~word;
  }
  if (num_rows_ % 64 != 0) {
    words_.back() &= (uint64_t{1} << (num_rows_ % 64)) - 1;
  }
}

IdSet::IdSet(int64_t count, uint32_t largest) {
  // A bitmap takes 64 KiB for every id up to here; beyond that it may take 8 bytes an id.
  constexpr uint64_t kSmall = 1 << 19;
  constexpr uint64_t kBitsPerId = 64;
  is_dense_ = largest < kSmall + kBitsPerId * static_cast<uint64_t>(count);
  if (is_dense_) {
    words_.resize(largest / 64 + 1);
  }
}

uint32_t LargestId(const arrow::Array& ids) {
  uint32_t largest = 0;
  // In a variable of their own width the processor compares many at once.
  const auto largest_of = [&](const auto* values) {
    std::remove_const_t<std::remove_pointer_t<decltype(values)>> found = 0;
    for (int64_t row = 0; row < ids.length(); ++row) {
      found = std::max(found, values[row]);
    }
    return static_cast<uint32_t>(found);
  };
  if (ids.null_count() == 0 && ids.type_id() == arrow::Type::UINT16) {
    return largest_of(ids.data()->GetValues<uint16_t>(1));
  }
  if (ids.null_count() == 0 && ids.type_id() == arrow::Type::UINT32) {
    return largest_of(ids.data()->GetValues<uint32_t>(1));
  }
  VisitIds(ids, [&](int64_t, uint32_t id) { largest = std::max(largest, id); });
  return largest;
}

IdSet CollectIds(const arrow::Array* ids) {
  if (ids == nullptr) {
    return {};
  }
  IdSet set(ids->length(), LargestId(*ids));
  VisitIds(*ids, [&](int64_t, uint32_t id) { set.Insert(id); });
  return set;
}

IdSet CollectIds(const arrow::Array* ids, const RowSet& rows) {
  if (ids == nullptr) {
    return {};
  }
  IdSet set(ids->length(), LargestId(*ids));
  VisitIds(*ids, [&](int64_t row, uint32_t id) {
    if (rows.Has(row)) {
      set.Insert(id);
    }
  });
  return set;
}

RowSet RowsWithIds(const arrow::Array& ids, const IdSet& set) {
  RowSet rows(ids.length());
  if (ids.type_id() == arrow::Type::UINT16 && ids.null_count() == 0) {
    const uint16_t* values = checked_cast<const arrow::UInt16Array&>(ids).raw_values();
    rows.SetWhere([&](int64_t row) { return set.Contains(values[row]); });
    return rows;
  }
  VisitIds(ids, [&](int64_t row, uint32_t id) {
    if (set.Contains(id)) {
      rows.Set(row);
    }
  });
  return rows;
}

std::shared_ptr<arrow::Array> FindArray(const std::shared_ptr<arrow::RecordBatch>& table,
                                        std::string_view name) {
  return table == nullptr ? nullptr : table->GetColumnByName(std::string(name));
}

std::shared_ptr<arrow::Array> GroupIds(const std::shared_ptr<arrow::RecordBatch>& root,
                                       std::string_view group) {
  const auto column = FindArray(root, group);
  if (column == nullptr) {
    return nullptr;
  }
  const auto& groups = checked_cast<const arrow::StructArray&>(*column);
  const int index = checked_cast<const arrow::StructType&>(*groups.type()).GetFieldIndex("id");
  // Only its memory can fail it, and then the process has other worries than one join.
  return index < 0 ? nullptr : groups.GetFlattenedField(index).ValueOr(nullptr);
}

std::shared_ptr<arrow::Array> StoredGroupIds(const std::shared_ptr<arrow::RecordBatch>& root,
                                             std::string_view group) {
  const auto column = FindArray(root, group);
  return column == nullptr ? nullptr
                           : checked_cast<const arrow::StructArray&>(*column).GetFieldByName("id");
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> SelectRows(
    const std::shared_ptr<arrow::RecordBatch>& table, const RowSet& rows) {
  const int64_t count = rows.Count();
  if (count == 0) {
    return nullptr;
  }
  if (count == rows.num_rows()) {
    return table;
  }
  const arrow::BooleanArray mask(
      rows.num_rows(), std::make_shared<arrow::Buffer>(rows.bitmap(), (rows.num_rows() + 7) / 8));
  // Arrow's own filter of a record batch makes the list of rows once for all columns.
  ARROW_ASSIGN_OR_RAISE(arrow::Datum kept,
                        arrow::compute::Filter(table, arrow::Datum(mask.data()),
                                               arrow::compute::FilterOptions::Defaults()));
  return kept.record_batch();
}

}  // namespace df::otap
