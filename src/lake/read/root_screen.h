// Which rows of a root file may be wanted, told from few of its columns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/format/row_stretch.h"
#include "lake/format/table_file.h"
#include "lake/read/attribute_screen.h"
#include "lake/scan/table_cursor.h"
#include "otap/rows.h"
#include "select/selector.h"

namespace df::lake {

/// Asks a selection about the columns that it goes by, before the others are read. Calls: from one
/// thread.
class RootScreen {
 public:
  /// `selector` may be null: everything is wanted then. `files` and `context` are borrowed. Rows
  /// that may be wanted are taken together where no more than `most_between` others lie between
  /// them.
  RootScreen(std::shared_ptr<const select::Selector> selector, const PartitionFiles& files,
             otap::Signal signal, int64_t most_between, ReadContext* context);

  /// Returns stretches that have all rows of a row group that may be wanted, ascending and apart;
  /// nothing where that is not told, and all of it is to be read: what cannot be decoded is named
  /// there.
  std::optional<RowStretches> Ask(TableFile* file, int row_group, const RowGroupSummary& summary);

  /// Has what is asked first fetched, where the store is far away, of row groups of `roots` that
  /// are not ruled out by their times.
  void FetchAhead(const std::vector<FileSummaryPtr>& roots, const Prefetcher::IsNeeded& is_needed);

 private:
  void Count(SkipCause cause, const SkipCounts& counts);
  std::optional<std::vector<std::string>> TracesLookedUp() const;
  bool MayHaveTraces(TableFile* file, int row_group) const;
  bool IsWorthwhile(const RowGroupSummary& summary);
  Result<RowStretches> AskColumns(TableFile* file, int row_group, const RowGroupSummary& summary);
  Status ReadColumns(TableFile* file, int row_group, otap::RowSet* wanted,
                     otap::RowSet* failed) const;
  Status ReadAttributes(TableFile* file, int row_group, otap::RowSet candidates,
                        otap::RowSet* wanted);
  RowStretches StretchesOf(const otap::RowSet& rows) const;

  /// A need of the selection, and the table that is asked.
  struct Need {
    select::Place place = select::Place::kItem;
    std::unique_ptr<AttributeScreen> table;
  };

  std::shared_ptr<const select::Selector> selector_;
  otap::Signal signal_;
  int64_t most_between_;
  ReadContext* context_;
  std::unique_ptr<Prefetcher> ahead_;
  std::vector<bool> leaves_;  ///< of the root table; empty where it is not asked
  std::vector<Need> needs_;
  int num_to_pass_ = 0;  ///< row groups that are read whole because most rows were wanted
};

}  // namespace df::lake
