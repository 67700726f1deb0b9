// Rows that two files give to one parent.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "lake/format/table_slice.h"
#include "otap/schema.h"

namespace df::lake {

/// Looks in one child table for a file beside the one that replaces it. Rows without ids join by
/// their parent alone, so each of them would go out twice without a word. Where two files have rows
/// of one parent, these are told apart by their key, in tables without keys by all their values. A
/// file most of whose shared parents have such a row from another file, too, is one that repeats.
/// Attributes that one record has twice, in two files because a writer cut its rows there, are no
/// sign of that. A resource or scope counts once, whatever number of payloads it goes out with.
/// Rows that have ids are looked at elsewhere.
class RowsGivenTwice {
 public:
  explicit RowsGivenTwice(otap::TableKind kind) : kind_(kind) {}

  /// Looks at the rows of a payload. Cost: nothing where they are of one file, a look at the
  /// parents where no parent has rows of two; else n log n, of about kMostParents parents.
  void Add(const ChildRows& rows);

  /// The problem, with the number of rows that were seen to repeat; OK if no file repeats another.
  /// Call it while the files of the rows are there. `is_whole`: all rows of the table were looked
  /// at; of some, a few that are alike prove nothing.
  Status Describe(const std::string& partition, bool is_whole = true) const;

  static constexpr size_t kMostParents = 4096;  ///< of a payload
  /// Resources or scopes whose files are looked at; those that come later are not.
  static constexpr size_t kMostSharedParents = 65'536;

 private:
  /// What a file has in common with others.
  struct Shared {
    int64_t num_parents = 0;
    int64_t num_repeated_parents = 0;
    int64_t num_repeated_rows = 0;
    int64_t num_repeated_values = 0;     ///< different ones, summed up over the parents
    const FileSummary* other = nullptr;  ///< one that has the same
  };

  /// Where a row lies: file, row group, row of it.
  using Place = std::tuple<const FileSummary*, int, int64_t>;

  /// A row whose parent has rows of two files.
  struct Row {
    uint32_t parent = 0;
    size_t hash = 0;
    const FileSummary* file = nullptr;
    Place place;
  };

  std::vector<Row> RowsOfSharedParents(const ChildRows& rows) const;
  /// Returns whether the parent of these rows has not been looked at yet.
  bool IsNew(const Row* begin, const Row* end);
  void AddParent(const Row* begin, const Row* end);
  /// `is_common`: most parents that files of the table share have the same of them.
  static bool IsRepeated(const FileSummary& file, const Shared& shared, bool is_common);

  otap::TableKind kind_;
  std::map<const FileSummary*, Shared> shared_;
  std::set<Place> seen_;  ///< a row of each parent that goes out with several payloads
};

}  // namespace df::lake
