#include "otlp/grouping.h"

#include <map>

namespace df::otlp {
namespace {

/// Numbers keys in the order of their first appearance. A tree, not a hash table: who sends the
/// texts and ids cannot make them collide.
template <typename Key>
class KeyNumbers {
 public:
  uint32_t Number(const Key& key, std::vector<Key>* keys) {
    if (!keys->empty() && (*keys)[last_] == key) {
      return last_;
    }
    const auto [at, is_new] = numbers_.try_emplace(key, static_cast<uint32_t>(keys->size()));
    if (is_new) {
      keys->push_back(key);
    }
    last_ = at->second;
    return last_;
  }

 private:
  std::map<Key, uint32_t> numbers_;
  uint32_t last_ = 0;
};

int32_t IdOf(const NumberColumn<uint16_t>& column, int64_t row) {
  return column.Has(row) ? column.Value(row) : kNoId;
}

struct GroupColumns {
  NumberColumn<uint16_t> resource_id;
  NumberColumn<uint32_t> resource_dropped;
  BytesColumn resource_schema_url;
  NumberColumn<uint16_t> scope_id;
  NumberColumn<uint32_t> scope_dropped;
  BytesColumn scope_name;
  BytesColumn scope_version;
  BytesColumn schema_url;

  explicit GroupColumns(const ColumnSource& root) {
    const ColumnSource resource = root.Struct("resource");
    resource.Bind("id", &resource_id);
    resource.Bind("dropped_attributes_count", &resource_dropped);
    resource.Bind("schema_url", &resource_schema_url);
    const ColumnSource scope = root.Struct("scope");
    scope.Bind("id", &scope_id);
    scope.Bind("dropped_attributes_count", &scope_dropped);
    scope.Bind("name", &scope_name);
    scope.Bind("version", &scope_version);
    root.Bind("schema_url", &schema_url);
  }
};

}  // namespace

Grouping GroupRows(const ColumnSource& root, int64_t num_rows) {
  const GroupColumns columns(root);
  Grouping grouping;
  KeyNumbers<ResourceKey> resource_numbers;
  KeyNumbers<ScopeKey> scope_numbers;
  std::vector<uint32_t> scope_of_row(static_cast<size_t>(num_rows));
  for (int64_t row = 0; row < num_rows; ++row) {
    ResourceKey resource;
    resource.id = IdOf(columns.resource_id, row);
    resource.dropped_attributes_count = columns.resource_dropped.ValueOr(row, 0);
    resource.schema_url.text = columns.resource_schema_url.ValueOrEmpty(row);

    ScopeKey scope;
    scope.resource = resource_numbers.Number(resource, &grouping.resources);
    scope.id = IdOf(columns.scope_id, row);
    scope.dropped_attributes_count = columns.scope_dropped.ValueOr(row, 0);
    scope.name.text = columns.scope_name.ValueOrEmpty(row);
    scope.version.text = columns.scope_version.ValueOrEmpty(row);
    scope.schema_url.text = columns.schema_url.ValueOrEmpty(row);
    scope_of_row[static_cast<size_t>(row)] = scope_numbers.Number(scope, &grouping.scopes);
  }
  std::vector<uint32_t> resource_of_scope;
  for (const ScopeKey& scope : grouping.scopes) {
    resource_of_scope.push_back(scope.resource);
  }
  grouping.scopes_of_resource = ChildIndex::FromParents(std::move(resource_of_scope));
  grouping.rows_of_scope = ChildIndex::FromParents(std::move(scope_of_row));
  return grouping;
}

}  // namespace df::otlp
