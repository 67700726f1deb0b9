// Whether a root file of a followed tree may be read yet.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/format/id_ranges.h"
#include "lake/report/read_report.h"

namespace df::lake {

/// What is known when a root file is looked at. All times are of one clock.
struct ReadinessFacts {
  std::chrono::system_clock::time_point now;
  /// When the root file was seen first, or got its content before that.
  std::chrono::system_clock::time_point root_arrived;
  /// The same of the newest file in the tables of the signal, in its partition.
  std::chrono::system_clock::time_point newest_arrived;
  std::chrono::nanoseconds grace{0};
};

/// The rows of each set of files in a partition, as footers give them. Owner: none of the files.
class SetCensus {
 public:
  /// Cost: one look at each file.
  explicit SetCensus(const PartitionFiles& files);

  int64_t RowsOf(const std::string& file_set, otap::TableKind table) const;

  /// Tells whether the partition has every row of the set of files that a root file of our own
  /// exporter names: nothing that belongs to it can still come. False for files that name no set.
  bool HasWhole(const FileSummary& root) const;

  /// Tells whether a table has rows in files of no set, or of one that no root file names: somebody
  /// has written files anew.
  bool HasOthers(otap::TableKind table) const { return has_others_[otap::TableIndex(table)]; }

 private:
  std::unordered_map<std::string, std::array<int64_t, otap::kTableCount>> rows_;
  std::array<bool, otap::kTableCount> has_others_{};
};

/// Names each table of which the partition has more or fewer rows of the set of a root file than
/// the file says: a file is missing, or stands there twice. A table with a file that could not be
/// read says nothing, and one with files of no set that a root file names may hold the rows in
/// these: such a difference is a notice.
void CheckSet(const FileSummary& root, const PartitionFiles& files, const SetCensus& census,
              ReadReport* report);

/// Returns when a root file may be read; a time that has passed means now.
/// A whole set is ready at once. Nothing else proves that all children are there: ids have gaps by
/// right, and a resource may have no attributes. So the file waits until the partition has been
/// quiet for the grace, at most kMostGraces of them: a partition that never rests does not hold it
/// for longer.
std::chrono::system_clock::time_point ReadyAt(const FileSummary& root, const SetCensus& census,
                                              const ReadinessFacts& facts);

inline constexpr int kMostGraces = 6;

/// Tells whether statistics allow a child row of `child` to point into the ids, or say nothing.
bool MayReferTo(const FileSummary& child, const IdRange& ids);

/// Returns the root ids that rows of a child file may lead to, following the ranges of ids that
/// footers give from parent to parent up to the root table.
/// `files_of` returns the files of a table between the two; those that name a set of files are left
/// out. Cost: one look at each row group of these tables.
IdRanges FindRootIds(const FileSummary& child, otap::TableKind root,
                     const std::function<std::vector<FileSummaryPtr>(otap::TableKind)>& files_of);

/// Tells whether rows of a file may belong to a root file, as far as footers say: by the set of
/// files where either names one, else by what FindRootIds has found. Cost: one look at each row
/// group of the root file.
bool MayBelongTo(const FileSummary& child, const FileSummary& root, const IdRanges& found);

}  // namespace df::lake
