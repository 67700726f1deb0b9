#include "lake/scan/own_repeats.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <arrow/buffer.h>

#include "lake/scan/child_row_group.h"
#include "lake/scan/reservation.h"

namespace df::lake {
namespace {

constexpr int64_t kBitsOfWord = 64;

int64_t WordsOf(IdRange range) { return (int64_t{range.max} - range.min) / kBitsOfWord + 1; }

/// Whether each id is larger than those before; zeros count unless they are skipped.
bool Ascend(const IdColumn& ids, bool skips_zeros) {
  const auto rows = static_cast<int64_t>(ids.values.size());
  if (ids.validity == nullptr && !skips_zeros) {
    int64_t breaks = 0;
    for (int64_t row = 1; row < rows; ++row) {
      breaks += ids.values[static_cast<size_t>(row)] <= ids.values[static_cast<size_t>(row) - 1];
    }
    return breaks == 0;
  }
  int64_t last = skips_zeros ? 0 : -1;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t id = ids.values[static_cast<size_t>(row)];
    if (ids.is_valid(row) && !(skips_zeros && id == 0)) {
      if (id <= last) {
        return false;
      }
      last = id;
    }
  }
  return true;
}

/// Upstream's exporter writes 0 for the ids of data points where a batch has none; other columns of
/// ids it leaves null.
bool IsOfDataPoints(otap::TableKind kind) {
  const otap::TableInfo& table = otap::GetTable(kind);
  return table.parent == otap::RootTable(otap::Signal::kMetrics) && !table.is_attributes;
}

}  // namespace

bool IdsAscend(const IdColumn& ids) { return Ascend(ids, false); }

int64_t IdTally::SizeBytes(IdRange range, int64_t num_ids) {
  const auto word_bytes = static_cast<int64_t>(sizeof(uint64_t));
  return std::min(2 * WordsOf(range) * word_bytes,
                  num_ids * static_cast<int64_t>(sizeof(uint32_t)));
}

IdTally::IdTally(IdRange range, int64_t num_ids)
    : range_(range),
      has_bits_(SizeBytes(range, num_ids) < num_ids * static_cast<int64_t>(sizeof(uint32_t))) {
  if (has_bits_) {
    seen_.assign(static_cast<size_t>(WordsOf(range)), 0);
    again_.assign(seen_.size(), 0);
  } else {
    ids_.reserve(static_cast<size_t>(num_ids));
  }
}

void IdTally::Add(uint32_t id) {
  if (!has_bits_) {
    ids_.push_back(id);
    return;
  }
  const uint32_t place = id - range_.min;
  const uint64_t bit = uint64_t{1} << place % kBitsOfWord;
  again_[place / kBitsOfWord] |= seen_[place / kBitsOfWord] & bit;
  seen_[place / kBitsOfWord] |= bit;
}

std::vector<uint32_t> IdTally::Repeated() {
  std::vector<uint32_t> repeated;
  for (size_t word = 0; word < again_.size(); ++word) {
    for (uint64_t bits = again_[word]; bits != 0; bits &= bits - 1) {
      repeated.push_back(range_.min + static_cast<uint32_t>(word * kBitsOfWord) +
                         static_cast<uint32_t>(std::countr_zero(bits)));
    }
  }
  std::sort(ids_.begin(), ids_.end());
  for (size_t i = 1; i < ids_.size(); ++i) {
    if (ids_[i] == ids_[i - 1] && (repeated.empty() || repeated.back() != ids_[i])) {
      repeated.push_back(ids_[i]);
    }
  }
  return repeated;
}

void DropFilledZeros(otap::TableKind kind, IdColumn* ids) {
  if (ids->num_valid < 2 || otap::GetTable(kind).is_root() || IdsAscend(*ids)) {
    return;
  }
  const auto rows = static_cast<int64_t>(ids->values.size());
  std::vector<int64_t> zeros;
  std::vector<int64_t> first_valid;  // two of them
  for (int64_t row = 0; row < rows; ++row) {
    if (ids->is_valid(row)) {
      if (first_valid.size() < 2) {
        first_valid.push_back(row);
      }
      if (ids->values[static_cast<size_t>(row)] == 0) {
        zeros.push_back(row);
      }
    }
  }
  const auto num_zeros = static_cast<int64_t>(zeros.size());
  const bool starts_with_zeros = num_zeros > 1 && zeros[1] == first_valid[1];
  if (num_zeros < 2 ||
      (num_zeros < rows && (!IsOfDataPoints(kind) || starts_with_zeros || !Ascend(*ids, true)))) {
    return;
  }
  const bool keeps_first = num_zeros < rows && zeros[0] == first_valid[0];
  std::vector<uint8_t> bits(static_cast<size_t>(rows + 7) / 8, 0);
  for (int64_t row = 0; row < rows; ++row) {
    const bool is_zero = ids->values[static_cast<size_t>(row)] == 0;
    const bool is_id = ids->is_valid(row) && (!is_zero || (keeps_first && row == zeros[0]));
    bits[static_cast<size_t>(row / 8)] |= static_cast<uint8_t>(is_id ? 1 << row % 8 : 0);
  }
  ids->validity = arrow::Buffer::FromVector(std::move(bits));
  ids->num_valid -= num_zeros - (keeps_first ? 1 : 0);
}

ParentIdSet FindOwnRepeats(const IdColumn& ids, MemoryBudget* budget) {
  if (ids.num_valid < 2 || IdsAscend(ids)) {
    return ParentIdSet();
  }
  const auto rows = static_cast<int64_t>(ids.values.size());
  const IdRange range = RangeOf(ids, 0, rows);
  Reservation held(budget);
  held.Set(IdTally::SizeBytes(range, ids.num_valid));
  IdTally tally(range, ids.num_valid);
  for (int64_t row = 0; row < rows; ++row) {
    if (ids.is_valid(row)) {
      tally.Add(ids.values[static_cast<size_t>(row)]);
    }
  }
  return ParentIdSet(tally.Repeated());
}

}  // namespace df::lake
