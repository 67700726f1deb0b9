// New ids for the resources and scopes of a payload.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <arrow/array.h>
#include <arrow/result.h>

#include "lake/read/root_cursor.h"
#include "lake/scan/id_map.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// An id by which rows refer to attributes, as the attribute files have it.
struct AttributeReference {
  uint32_t id = 0;
  bool has_attributes = false;
};

/// Gives every distinct resource of a payload, and every distinct (resource, scope) pair, a number
/// of its own, and finds their attributes. A scope id never spans two resources: consumers group by
/// it (format reference 4.3).
class NestedIds {
 public:
  /// Computes the ids for the rows of a payload. Errors: CapacityError past 65,535 of them.
  static Result<NestedIds> Make(const RootRows& rows, otap::TableKind root);

  /// resource.id and scope.id by row (UInt16); null when no row has one.
  const std::shared_ptr<arrow::Array>& resource_ids() const { return resource_ids_; }
  const std::shared_ptr<arrow::Array>& scope_ids() const { return scope_ids_; }

  /// Rows whose attributes cannot be told.
  int64_t num_ambiguous_rows() const { return num_ambiguous_rows_; }

  /// Collects the attribute rows, with parents renumbered.
  Result<ChildRows> CollectResources(TableCursor* cursor) const {
    return Collect(cursor, resource_owners_);
  }
  Result<ChildRows> CollectScopes(TableCursor* cursor) const {
    return Collect(cursor, scope_owners_);
  }

  /// Returns the ids that the rows refer to; `rows` is what was collected for them.
  std::vector<AttributeReference> ResourceReferences(const ChildRows& rows) const {
    return References(rows, resource_owners_);
  }
  std::vector<AttributeReference> ScopeReferences(const ChildRows& rows) const {
    return References(rows, scope_owners_);
  }

 private:
  /// Who refers to an attribute parent_id: new ids by old one, in order of appearance.
  struct Owners {
    std::vector<uint32_t> old_ids;
    std::vector<std::vector<uint32_t>> new_ids;
    size_t most = 0;  ///< most new ids of one old id
  };
  static void AddOwner(Owners* owners, std::unordered_map<uint32_t, size_t>* index, uint32_t old_id,
                       uint32_t new_id);
  static Result<ChildRows> Collect(TableCursor* cursor, const Owners& owners);
  static std::vector<AttributeReference> References(const ChildRows& rows, const Owners& owners);

  std::shared_ptr<arrow::Array> resource_ids_;
  std::shared_ptr<arrow::Array> scope_ids_;
  int64_t num_ambiguous_rows_ = 0;
  Owners resource_owners_;
  Owners scope_owners_;
};

}  // namespace df::lake
