// Resource and scope ids of the root files of one partition.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lake/read_options.h"
#include "lake/resource_joins.h"
#include "lake/table_cursor.h"

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
  /// One attribute table, by whether the files have the key.
  struct Attributes {
    ParentIdSet keyed;
    ParentIdSet unkeyed;
    bool has_unkeyed_files = false;
    /// All files have the key, and root rows without it refer to every attribute row: they are of
    /// the same writer, and lost their key.
    bool joins_as_stored = false;
  };

  void LoadParents();
  void ReadParents(otap::TableKind kind, Attributes* attributes);
  Status Infer();
  void ProveStored();
  std::vector<size_t> FilesById(otap::Signal signal) const;
  RootFileSource SourceOf(otap::Signal signal, size_t file_index);

  const PartitionFiles& files_;
  otap::Signal signal_;
  ResourceJoin policy_;
  ReadContext* context_;
  bool is_loaded_ = false;
  bool is_inferred_ = false;
  bool is_complete_ = true;
  std::array<Attributes, 2> attributes_;
  std::optional<ResourceJoins> joins_;
  /// By file of the signal: where its stretches are, for files that were inferred.
  std::map<size_t, size_t> place_of_;
  std::map<std::pair<otap::Signal, size_t>, Status> errors_;
};

}  // namespace df::lake
