// Rows without children between the files of a child table: what a file that is gone leaves behind.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lake/catalog/file_summary.h"

namespace df::lake {

/// Looks for a missing file of one table. The files of a table follow each other by id. When one is
/// gone, rows with ids between the ranges of the others are left without children. Chance alone
/// leaves only a few such rows. Nothing here is proof.
/// Cost: 24 bytes a file; a search among the files for ids that stand between them.
class FileGaps {
 public:
  /// Nothing is found where a file has no statistics, or wrong ones.
  explicit FileGaps(const std::vector<FileSummaryPtr>& files);

  /// Takes rows of one root file that may have children: their ids, each once in the life of this
  /// object as far as `are_new`, and how many of them have some.
  void Add(const FileSummaryPtr& root, std::span<const uint32_t> ids, int64_t num_with,
           bool are_new = true);

  /// A place between two files where rows with children are to be expected.
  struct Gap {
    int64_t num_rows = 0;
    IdRange ids = kEmptyIdRange;
    int64_t num_with = 0;    ///< of the other rows, those that have children
    int64_t num_others = 0;  ///< all other rows
    int64_t num_more = 0;    ///< rows in other such places
  };
  /// Returns the place with the most rows.
  std::optional<Gap> Find() const;

  /// A root file none of whose rows has a child, while rows of every other one have.
  struct BareFile {
    FileSummaryPtr root;
    int64_t num_rows = 0;
    IdRange ids = kEmptyIdRange;
    int64_t num_others = 0;  ///< root files
  };
  /// `least_others`: the root files that it takes.
  std::optional<BareFile> FindBareFile(int64_t least_others) const;

 private:
  struct Place {
    int64_t num_rows = 0;
    IdRange ids = kEmptyIdRange;
  };
  struct RootFile {
    FileSummaryPtr root;
    int64_t num_rows = 0;
    int64_t num_with = 0;
    int64_t num_between = 0;  ///< rows that stand between the files
    IdRange ids = kEmptyIdRange;
  };
  /// Returns the number of files that begin at the id or before it.
  size_t FilesUpTo(uint32_t id) const;
  double Chance(int64_t num_rows) const;
  bool IsKnown() const;
  void EndFile();

  bool is_known_ = true;
  std::vector<FileSummaryPtr> files_;
  std::vector<IdRange>
      covered_;                ///< ids between the first and the last of a file, ascending, apart
  std::vector<Place> places_;  ///< in front of each, and behind the last
  int64_t num_rows_ = 0;
  int64_t num_with_ = 0;
  RootFile current_;
  int64_t num_files_with_ = 0;
  int64_t num_files_without_ = 0;
  RootFile bare_;  ///< the first that is
};

}  // namespace df::lake
