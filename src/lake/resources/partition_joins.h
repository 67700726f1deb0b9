// What the root rows of a partition and its attribute files say of each other: read once, for every
// signal.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lake/resources/resource_joins.h"
#include "lake/scan/read_options.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Tells by statistics whether two files of one root table with the key, and not of one set, have
/// ids in common: then they are of several writers. Where somebody cut a file in two, its parts
/// share no more than the resource and the scope at the cut.
bool KeyedRootsShareIds(const PartitionFiles& files);

/// Reads the parent ids of the attribute tables, and the nested ids of the root files of all
/// signals, when they are needed first. What it finds is the same whichever signal is read, so the
/// readers of a partition share it (PartitionFiles::joins).
class PartitionJoins {
 public:
  /// One attribute table, by whether the files have the key.
  struct Attributes {
    ParentIdSet keyed;
    ParentIdSet unkeyed;
    ParentIdSet unkeyed_several;  ///< of `unkeyed`: those of more than one row
    /// Of `keyed`: those in files of more than one set, or in more than one of no set, where root
    /// files are of several writers. A writer puts the attributes of one resource into one file.
    ParentIdSet keyed_twice;
    bool has_unkeyed_files = false;
    /// All files have the key, and root rows without it refer to every attribute row: they are of
    /// the same writer, and lost their key.
    bool joins_as_stored = false;
    IdRanges unkeyed_files;  ///< first to last parent of each file without the key
  };

  /// Reads the attribute tables unless that is done. Files that cannot be read are reported.
  void LoadParents(const PartitionFiles& files, ReadContext* context);

  /// Infers how the root files without the key join, unless that is done; LoadParents comes first.
  Status Infer(const PartitionFiles& files, ReadContext* context);

  const Attributes& attributes(AttributeKind kind) const {
    return attributes_[static_cast<size_t>(kind)];
  }
  /// Every attribute file could be read.
  bool is_complete() const { return is_complete_; }
  /// Some file could not be read, which may pass: the next reader has to try again.
  bool has_failed() const { return has_failed_; }

  /// After Infer: why the nested ids of a root file could not be read; OK when they were.
  Status ErrorOf(otap::Signal signal, size_t file) const;

  /// After Infer: the stretches of a root file; none for one that was not inferred.
  std::vector<ResourceStretch> StretchesOf(otap::Signal signal, size_t file) const;

  /// Nothing before Infer.
  const std::optional<ResourceJoins>& joins() const { return joins_; }

 private:
  using FileOfSignal = std::pair<otap::Signal, size_t>;

  void ReadParents(otap::TableKind kind, const PartitionFiles& files, ReadContext* context);
  void ProveStored(const PartitionFiles& files, ReadContext* context);
  RootFileSource SourceOf(FileOfSignal which, const PartitionFiles& files, ReadContext* context);

  bool is_loaded_ = false;
  bool is_inferred_ = false;
  bool is_complete_ = true;
  bool has_failed_ = false;
  std::array<Attributes, 2> attributes_;
  std::optional<ResourceJoins> joins_;
  /// Where the stretches of the files that were inferred are.
  std::map<FileOfSignal, size_t> place_of_;
  std::map<FileOfSignal, Status> errors_;
};

}  // namespace df::lake
