#include "lake/read/nested_ids.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include <arrow/array/array_primitive.h>

#include "lake/read/assemble.h"

namespace df::lake {
namespace {

constexpr int64_t kNull = -1;

/// Marks keys that name no attribute rows: an ambiguous stretch keeps its resources apart by
/// stretch and nested id.
constexpr int64_t kUnjoinable = int64_t{1} << 62;

/// Numbers distinct keys by first appearance.
class Numbering {
 public:
  /// Returns the number of a key and whether it is new.
  std::pair<int32_t, bool> Number(int64_t key) {
    if (has_last_ && key == last_key_) {
      return {last_number_, false};
    }
    const auto [entry, is_new] = numbers_.emplace(key, static_cast<int32_t>(numbers_.size()));
    has_last_ = true;
    last_key_ = key;
    last_number_ = entry->second;
    return {last_number_, is_new};
  }

 private:
  std::unordered_map<int64_t, int32_t> numbers_;
  bool has_last_ = false;
  int64_t last_key_ = 0;
  int32_t last_number_ = 0;
};

/// One nested id column of the slice.
class NestedColumn {
 public:
  NestedColumn(const RootRows& rows, otap::TableKind root, std::string_view name) {
    const int leaf = LeafIndex(root, name, "id");
    array_ = static_cast<const arrow::UInt32Array*>(
        rows.slice->leaves[static_cast<size_t>(leaf)].values.get());
    offset_ = rows.offset;
  }
  int64_t at(int64_t row) const {
    return array_ == nullptr || array_->IsNull(offset_ + row)
               ? kNull
               : int64_t{array_->Value(offset_ + row)};
  }

 private:
  const arrow::UInt32Array* array_ = nullptr;
  int64_t offset_ = 0;
};

}  // namespace

void NestedIds::AddOwner(Owners* owners, std::unordered_map<uint32_t, size_t>* index,
                         uint32_t old_id, uint32_t new_id) {
  const auto [entry, is_new] = index->emplace(old_id, owners->old_ids.size());
  if (is_new) {
    owners->old_ids.push_back(old_id);
    owners->new_ids.emplace_back();
  }
  auto& new_ids = owners->new_ids[entry->second];
  new_ids.push_back(new_id);
  owners->most = std::max(owners->most, new_ids.size());
}

Result<NestedIds> NestedIds::Make(const RootRows& rows, otap::TableKind root) {
  NestedIds nested;
  const NestedColumn resources(rows, root, "resource");
  const NestedColumn scopes(rows, root, "scope");
  std::vector<int32_t> resource_ids(static_cast<size_t>(rows.num_rows), -1);
  std::vector<int32_t> scope_ids(static_cast<size_t>(rows.num_rows), -1);
  std::unordered_map<uint32_t, size_t> resource_index;
  std::unordered_map<uint32_t, size_t> scope_index;
  Numbering resource_numbers;
  // One numbering a resource keeps the pairs apart without hashing pairs.
  std::unordered_map<int64_t, std::unordered_map<int64_t, int32_t>> scope_numbers;
  int32_t num_scopes = 0;
  int64_t last_pair_resource = -2;
  int64_t last_pair_scope = -2;
  int32_t last_pair = -1;
  size_t last_stretch = 0;
  int64_t last_resource = kNull;
  int64_t last_scope = kNull;
  bool is_resource_known = true;
  bool is_scope_known = true;

  const auto& stretches = *rows.stretches;
  size_t stretch = static_cast<size_t>(
      std::upper_bound(stretches.begin(), stretches.end(), rows.first_row_of_file,
                       [](int64_t row, const ResourceStretch& s) { return row < s.first_row; }) -
      stretches.begin());
  stretch = stretch == 0 ? 0 : stretch - 1;
  for (int64_t row = 0; row < rows.num_rows; ++row) {
    while (stretch + 1 < stretches.size() &&
           stretches[stretch + 1].first_row <= rows.first_row_of_file + row) {
      ++stretch;
    }
    const ResourceStretch& facts = stretches[stretch];
    const int64_t resource = resources.at(row);
    const int64_t scope = scopes.at(row);
    auto is_known = [&](AttributeKind kind, int64_t id) {
      return id == kNull || rows.resources->IsKnown(kind, facts, static_cast<uint32_t>(id));
    };
    if (row == 0 || stretch != last_stretch || resource != last_resource || scope != last_scope) {
      is_resource_known = is_known(AttributeKind::kResource, resource);
      is_scope_known = is_known(AttributeKind::kScope, scope);
      last_stretch = stretch;
      last_resource = resource;
      last_scope = scope;
    }
    nested.num_ambiguous_rows_ += is_resource_known && is_scope_known ? 0 : 1;
    auto key = [&](bool is_joined, int64_t id) {
      return is_joined ? facts.offset + id : kUnjoinable | static_cast<int64_t>(stretch) << 32 | id;
    };
    int64_t resource_key = kNull;
    if (resource != kNull) {
      resource_key = key(is_resource_known, resource);
      const auto [number, is_new] = resource_numbers.Number(resource_key);
      resource_ids[static_cast<size_t>(row)] = number;
      if (is_new && is_resource_known && resource_key <= UINT32_MAX) {
        AddOwner(&nested.resource_owners_, &resource_index, static_cast<uint32_t>(resource_key),
                 static_cast<uint32_t>(number));
      }
    }
    if (scope == kNull) {
      continue;
    }
    const int64_t scope_key = key(is_scope_known, scope);
    if (resource_key != last_pair_resource || scope_key != last_pair_scope) {
      const auto [entry, is_new] = scope_numbers[resource_key].emplace(scope_key, num_scopes);
      last_pair_resource = resource_key;
      last_pair_scope = scope_key;
      last_pair = entry->second;
      if (is_new) {
        ++num_scopes;
        if (is_scope_known && scope_key <= UINT32_MAX) {
          AddOwner(&nested.scope_owners_, &scope_index, static_cast<uint32_t>(scope_key),
                   static_cast<uint32_t>(entry->second));
        }
      }
    }
    scope_ids[static_cast<size_t>(row)] = last_pair;
  }
  ARROW_ASSIGN_OR_RAISE(nested.resource_ids_,
                        MakeIdArray(std::span<const int32_t>(resource_ids), 16));
  ARROW_ASSIGN_OR_RAISE(nested.scope_ids_, MakeIdArray(std::span<const int32_t>(scope_ids), 16));
  return nested;
}

std::vector<AttributeReference> NestedIds::References(const ChildRows& rows, const Owners& owners) {
  std::vector<bool> has_attributes(UINT16_MAX + size_t{1}, false);
  for (const uint32_t parent : rows.parents) {
    has_attributes[parent] = true;
  }
  std::vector<AttributeReference> references;
  for (size_t i = 0; i < owners.old_ids.size(); ++i) {
    references.push_back({owners.old_ids[i], has_attributes[owners.new_ids[i].front()]});
  }
  return references;
}

Result<ChildRows> NestedIds::Collect(TableCursor* cursor, const Owners& owners) {
  ChildRows all;
  // The first round serves the first owner of every attribute row; further rounds repeat the rows
  // for further owners.
  for (size_t round = 0; round < owners.most; ++round) {
    std::vector<uint32_t> old_ids;
    std::vector<uint32_t> new_ids;
    for (size_t i = 0; i < owners.old_ids.size(); ++i) {
      if (round < owners.new_ids[i].size()) {
        old_ids.push_back(owners.old_ids[i]);
        new_ids.push_back(owners.new_ids[i][round]);
      }
    }
    const IdMap map = IdMap::Make(old_ids.data(), static_cast<int64_t>(old_ids.size()),
                                  [](int64_t) { return true; });
    ChildRows rows = cursor->Collect(map);
    for (uint32_t& parent : rows.parents) {
      parent = new_ids[parent];
    }
    std::move(rows.pieces.begin(), rows.pieces.end(), std::back_inserter(all.pieces));
    all.parents.insert(all.parents.end(), rows.parents.begin(), rows.parents.end());
  }
  return all;
}

}  // namespace df::lake
