// Resource and scope ids of the root files of one partition.
#pragma once

#include <memory>
#include <vector>

#include "lake/read_options.h"
#include "lake/resource_resolver.h"
#include "lake/table_cursor.h"

namespace df::lake {

/// Decides for each root file how its nested ids join, reading the parent ids of the attribute
/// tables once. Owner: borrows files and context.
class PartitionResources {
 public:
  PartitionResources(const PartitionFiles& files, otap::Signal signal, ResourceJoin policy,
                     ReadContext* context);

  /// Returns the stretches of a root file, the first at row 0. Unreadable attribute files are
  /// reported once. Errors: what reading the root's id columns returns; with ResourceJoin::kFail,
  /// reconstruction for ambiguous stretches.
  Result<std::vector<ResourceStretch>> Resolve(TableFile* file, size_t file_index);

 private:
  void LoadParents();
  ParentIdSet ReadParents(otap::TableKind kind);
  bool IsLiteral() const;
  void LoadRanges();
  ResolverContext MakeContext(size_t file_index) const;

  const PartitionFiles& files_;
  otap::Signal signal_;
  ResourceJoin policy_;
  ReadContext* context_;
  bool is_loaded_ = false;
  bool is_complete_ = true;
  bool is_literal_ = false;
  ParentIdSet resources_;
  ParentIdSet scopes_;
  std::vector<uint32_t> first_ids_;  ///< of all root files that have ids, ascending
  std::vector<uint32_t> last_ids_;
  std::vector<std::optional<uint32_t>>
      previous_max_;  ///< by file: largest id of the files before it
  std::vector<std::optional<uint32_t>>
      next_min_;  ///< by file: smallest id of it and the files behind it
  std::shared_ptr<const std::vector<IdRange>> other_signals_;
};

}  // namespace df::lake
