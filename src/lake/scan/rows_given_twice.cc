#include "lake/scan/rows_given_twice.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include "lake/catalog/file_summary.h"
#include "lake/format/id_ranges.h"
#include "lake/format/leaf.h"
#include "otap/any_value.h"

namespace df::lake {
namespace {

constexpr int64_t kManyParents = 8;

/// The parents of the rows of a piece.
struct Stretch {
  const Piece* piece = nullptr;
  size_t first_row = 0;  ///< in ChildRows
  IdRange parents;
};

std::vector<Stretch> StretchesOf(const ChildRows& rows) {
  std::vector<Stretch> stretches;
  size_t row = 0;
  for (const Piece& piece : rows.pieces) {
    const auto begin = rows.parents.begin() + static_cast<ptrdiff_t>(row);
    uint32_t min = UINT32_MAX;
    uint32_t max = 0;
    std::for_each(begin, begin + piece.length, [&](uint32_t parent) {
      min = std::min(min, parent);
      max = std::max(max, parent);
    });
    stretches.push_back({.piece = &piece, .first_row = row, .parents = {min, max}});
    row += static_cast<size_t>(piece.length);
  }
  return stretches;
}

/// Returns a range with every parent that rows of two files can have; empty if no two files share a
/// parent.
IdRange FindOverlap(const std::vector<Stretch>& stretches) {
  std::map<const FileSummary*, IdRange> ranges;
  for (const Stretch& stretch : stretches) {
    Extend(&ranges.try_emplace(stretch.piece->file, kEmptyIdRange).first->second, stretch.parents);
  }
  std::vector<IdRange> sorted;
  for (const auto& [file, range] : ranges) {
    sorted.push_back(range);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const IdRange& a, const IdRange& b) { return a.min < b.min; });
  IdRange overlap = kEmptyIdRange;
  uint32_t last = sorted[0].max;
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].min <= last) {
      Extend(&overlap, IdRange{sorted[i].min, std::min(last, sorted[i].max)});
    }
    last = std::max(last, sorted[i].max);
  }
  return overlap;
}

/// Calls `visit` with the piece, the place in ChildRows and the row in the slice of each row whose
/// parent is in a range.
template <typename Visit>
void ForEachRow(const ChildRows& rows, const std::vector<Stretch>& stretches, IdRange parents,
                const Visit& visit) {
  for (const Stretch& stretch : stretches) {
    if (stretch.parents.max < parents.min || parents.max < stretch.parents.min) {
      continue;
    }
    const Piece& piece = *stretch.piece;
    const auto* selection = static_cast<const arrow::Int32Array*>(piece.selection.get());
    for (int64_t i = 0; i < piece.length; ++i) {
      const size_t row = stretch.first_row + static_cast<size_t>(i);
      if (parents.min <= rows.parents[row] && rows.parents[row] <= parents.max) {
        visit(piece, row, selection == nullptr ? piece.offset + i : int64_t{selection->Value(i)});
      }
    }
  }
}

bool HasId(const ChildRows& rows, size_t row) {
  return !rows.id_states.empty() && rows.id_states[row] != ChildRows::kNoId;
}

/// Returns the parents of a range that have rows without id of more than one file, counted from its
/// first: all, or one of so many that about `most` are left. Empty if no parent is shared.
std::vector<bool> FindShared(const ChildRows& rows, const std::vector<Stretch>& stretches,
                             IdRange range, size_t most) {
  std::vector<const FileSummary*> first(size_t{range.max} - range.min + 1, nullptr);
  std::vector<bool> is_shared(first.size(), false);
  size_t num_shared = 0;
  ForEachRow(rows, stretches, range, [&](const Piece& piece, size_t row, int64_t) {
    const uint32_t parent = rows.parents[row] - range.min;
    if (first[parent] == nullptr && !HasId(rows, row)) {
      first[parent] = piece.file;
    } else if (first[parent] != piece.file && !is_shared[parent] && !HasId(rows, row)) {
      is_shared[parent] = true;
      ++num_shared;
    }
  });
  const size_t step = num_shared / most + 1;
  size_t seen = 0;
  for (size_t parent = 0; step > 1 && parent < is_shared.size(); ++parent) {
    is_shared[parent] = is_shared[parent] && seen++ % step == 0;
  }
  return num_shared == 0 ? std::vector<bool>() : is_shared;
}

/// Hashes some leaves of the rows of one slice.
class RowHasher {
 public:
  RowHasher(const TableSlice& slice, size_t begin, size_t end) {
    for (size_t leaf = begin; leaf < end; ++leaf) {
      const auto& values = slice.leaves[leaf].values;
      if (values == nullptr || values->null_count() == values->length()) {
        continue;
      }
      if (arrow::is_base_binary_like(values->type_id()) ||
          values->type_id() == arrow::Type::DICTIONARY) {
        texts_.emplace_back(leaf, otap::BytesColumn(values));
      } else {
        others_.emplace_back(leaf, values.get());
      }
    }
  }

  size_t Hash(int64_t row) const {
    size_t hash = 0;
    for (const auto& [leaf, column] : texts_) {
      Mix(column.IsNull(row) ? 0 : std::hash<std::string_view>()(column.At(row)), leaf, &hash);
    }
    for (const auto& [leaf, column] : others_) {
      if (!column->IsNull(row)) {
        const auto value = column->GetScalar(row);
        Mix(value.ok() ? (*value)->hash() : 0, leaf, &hash);
      }
    }
    return hash;
  }

 private:
  static void Mix(size_t value, size_t leaf, size_t* hash) {
    *hash = (*hash ^ (value + leaf)) * 0x9E3779B97F4A7C15U;
    *hash ^= *hash >> 32U;
  }

  std::vector<std::pair<size_t, otap::BytesColumn>> texts_;
  std::vector<std::pair<size_t, const arrow::Array*>> others_;
};

}  // namespace

void RowsGivenTwice::Add(const ChildRows& rows) {
  if (rows.pieces.empty() ||
      std::all_of(rows.pieces.begin(), rows.pieces.end(),
                  [&](const Piece& piece) { return piece.file == rows.pieces.front().file; })) {
    return;
  }
  const std::vector<Row> shared = RowsOfSharedParents(rows);
  for (auto begin = shared.begin(); begin != shared.end();) {
    const auto end = std::find_if(begin, shared.end(),
                                  [&](const Row& row) { return row.parent != begin->parent; });
    const Row* rows_begin = &*begin;
    const Row* rows_end = rows_begin + (end - begin);
    if (IsNew(rows_begin, rows_end)) {
      AddParent(rows_begin, rows_end);
    }
    begin = end;
  }
}

std::vector<RowsGivenTwice::Row> RowsGivenTwice::RowsOfSharedParents(const ChildRows& rows) const {
  std::vector<Row> shared;
  const std::vector<Stretch> stretches = StretchesOf(rows);
  const IdRange range = FindOverlap(stretches);
  if (range.min > range.max) {
    return shared;
  }
  const std::vector<bool> is_shared = FindShared(rows, stretches, range, kMostParents);
  if (is_shared.empty()) {
    return shared;
  }
  const int key = LeafIndex(kind_, "key");
  const size_t begin = key < 0 ? 0 : static_cast<size_t>(key);
  const size_t end = key < 0 ? LeavesOf(kind_).size() : begin + 1;
  std::map<const TableSlice*, RowHasher> hashers;
  ForEachRow(rows, stretches, range, [&](const Piece& piece, size_t row, int64_t slice_row) {
    if (is_shared[rows.parents[row] - range.min] && !HasId(rows, row)) {
      const auto [hasher, is_new] =
          hashers.try_emplace(piece.slice.get(), *piece.slice, begin, end);
      shared.push_back({.parent = rows.parents[row],
                        .hash = hasher->second.Hash(slice_row),
                        .file = piece.file,
                        .place = {piece.file, piece.row_group, piece.RowInGroup(slice_row)}});
    }
  });
  std::sort(shared.begin(), shared.end(), [](const Row& a, const Row& b) {
    return std::tie(a.parent, a.hash, a.file) < std::tie(b.parent, b.hash, b.file);
  });
  return shared;
}

bool RowsGivenTwice::IsNew(const Row* begin, const Row* end) {
  if (kind_ != otap::TableKind::kResourceAttrs && kind_ != otap::TableKind::kScopeAttrs) {
    return true;
  }
  const Row* first =
      std::min_element(begin, end, [](const Row& a, const Row& b) { return a.place < b.place; });
  return seen_.size() < kMostSharedParents && seen_.insert(first->place).second;
}

void RowsGivenTwice::AddParent(const Row* begin, const Row* end) {
  std::set<const FileSummary*> files;
  std::set<const FileSummary*> repeated;
  while (begin != end) {
    const Row* same =
        std::find_if(begin, end, [&](const Row& row) { return row.hash != begin->hash; });
    const bool is_repeated = begin->file != (same - 1)->file;
    for (const Row* row = begin; row != same; ++row) {
      files.insert(row->file);
      if (is_repeated) {
        Shared& shared = shared_[row->file];
        shared.num_repeated_values += row == begin || row->file != (row - 1)->file ? 1 : 0;
        ++shared.num_repeated_rows;
        shared.other = row->file == begin->file ? (same - 1)->file : begin->file;
        repeated.insert(row->file);
      }
    }
    begin = same;
  }
  for (const FileSummary* file : files) {
    ++shared_[file].num_parents;
  }
  for (const FileSummary* file : repeated) {
    ++shared_[file].num_repeated_parents;
  }
}

bool RowsGivenTwice::IsRepeated(const FileSummary& file, const Shared& shared, bool is_common) {
  if (2 * shared.num_repeated_parents <= shared.num_parents) {
    return false;
  }
  if (shared.num_repeated_parents >= kManyParents) {
    return true;
  }
  // A few parents may have a value twice by themselves, and the border of a file between the two.
  return shared.num_repeated_rows == file.num_rows() &&
         (is_common || shared.num_repeated_values > 1);
}

Status RowsGivenTwice::Describe(const std::string& partition, bool is_whole) const {
  const FileSummary* file = nullptr;
  const FileSummary* other = nullptr;
  int64_t num_files = 0;
  int64_t num_rows = 0;
  int64_t num_others = 0;  // parents that have something else of each file, less the others
  for (const auto& [candidate, shared] : shared_) {
    num_others += shared.num_parents - 2 * shared.num_repeated_parents;
  }
  for (const auto& [candidate, shared] : shared_) {
    if ((!is_whole && shared.num_repeated_parents < kManyParents) ||
        !IsRepeated(*candidate, shared, num_others < 0)) {
      continue;
    }
    ++num_files;
    num_rows += shared.num_repeated_rows;
    if (file == nullptr || candidate->entry.path < file->entry.path) {
      file = candidate;
      other = shared.other;
    }
  }
  if (file == nullptr) {
    return Status::OK();
  }
  return MakeError(
      ErrorKind::kReconstruction,
      fmt::format("{} files give the same parents the same rows, {} has what is in {}: at least {} "
                  "rows go out twice; a file may be beside the one that replaces it",
                  std::max<int64_t>(num_files, 2), file->entry.path, other->entry.path,
                  (num_rows + 1) / 2),
      {.partition = partition,
       .table = std::string(otap::GetTable(kind_).directory),
       .file = file->entry.path});
}

}  // namespace df::lake
