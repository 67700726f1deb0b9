// Resource and scope ids of the root files of one partition.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lake/resources/partition_joins.h"
#include "lake/resources/resource_joins.h"
#include "lake/scan/read_options.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Decides for each root file how its nested ids join, reading the parent ids of the attribute
/// tables once. Files whose key says that their ids join as stored join attribute files with that
/// key; all others are inferred, from attribute files without it. Owner: borrows files and context.
class PartitionResources {
 public:
  PartitionResources(const PartitionFiles& files, otap::Signal signal, ResourceJoin policy,
                     ReadContext* context);

  /// Returns the stretches of a root file, the first at row 0. Unreadable attribute files are
  /// reported once. Errors: what reading the root's id columns returns.
  Result<std::vector<ResourceStretch>> Resolve(const TableFile& file, size_t file_index);

  /// Tells whether the attributes that a nested id means are known: then they are the rows with
  /// parent_id = offset + nested id.
  bool IsKnown(AttributeKind kind, const ResourceStretch& stretch, uint32_t nested_id) const;

 private:
  Result<std::vector<ResourceStretch>> Infer(size_t file_index);
  bool HasSeveralWriters();

  const PartitionFiles& files_;
  otap::Signal signal_;
  ResourceJoin policy_;
  ReadContext* context_;
  std::shared_ptr<PartitionJoins> joins_;
  std::optional<bool> has_several_writers_;  ///< among files with the key
};

}  // namespace df::lake
