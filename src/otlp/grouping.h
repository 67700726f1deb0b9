// Which rows of a root table go under which resource and scope.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

#include "otlp/child_index.h"
#include "otlp/column.h"

namespace df::otlp {

/// A text that compares fast with itself: rows of a dictionary share their bytes.
struct SharedText {
  std::string_view text;
  bool operator==(const SharedText& other) const {
    return text.size() == other.text.size() &&
           (text.data() == other.text.data() || text == other.text);
  }
  std::strong_ordering operator<=>(const SharedText& other) const {
    return *this == other ? std::strong_ordering::equal : text <=> other.text;
  }
};

/// The id of a row that has none.
inline constexpr int32_t kNoId = -1;

/// What makes two rows belong to the same resource: all that a row says about it.
struct ResourceKey {
  int32_t id = kNoId;
  uint32_t dropped_attributes_count = 0;
  SharedText schema_url;
  auto operator<=>(const ResourceKey&) const = default;
};

/// What makes two rows belong to the same scope.
struct ScopeKey {
  uint32_t resource = 0;  ///< position in Grouping::resources
  int32_t id = kNoId;
  uint32_t dropped_attributes_count = 0;
  SharedText name;
  SharedText version;
  SharedText schema_url;
  auto operator<=>(const ScopeKey&) const = default;
};

/// Shape: resources and scopes in the order of their first row; the rows of a scope in row order.
/// Rows are together only when everything visible of their resource and scope is equal, so that
/// null ids and ids that are used twice alter nothing.
struct Grouping {
  std::vector<ResourceKey> resources;
  std::vector<ScopeKey> scopes;
  ChildIndex scopes_of_resource;
  ChildIndex rows_of_scope;
};

/// Groups the rows of a root table. Owner: the keys borrow the texts of `root`.
/// Cost: a comparison for each row, a look-up in a tree where a row differs from the one before.
Grouping GroupRows(const ColumnSource& root, int64_t num_rows);

}  // namespace df::otlp
