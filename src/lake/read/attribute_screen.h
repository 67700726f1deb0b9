// Which root rows have the attributes that a selection needs, before anything else of them is read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "lake/format/id_ranges.h"
#include "lake/format/table_file.h"
#include "lake/scan/child_group_index.h"
#include "lake/scan/child_row_group.h"
#include "lake/scan/kept_files.h"
#include "lake/scan/reservation.h"
#include "lake/scan/table_cursor.h"
#include "otap/rows.h"
#include "select/attribute_needs.h"

namespace df::lake {

/// What an attribute table says of a parent.
enum class AttributeMatch : uint8_t {
  kUnseen,   ///< none of the row groups that were read has a row of it
  kWithout,  ///< it has none of the attributes
  kWith,     ///< it may have one, which is a plain value
  kBroken,   ///< it may have one whose value may be no plain one: a condition on it may fail
};

/// One attribute table of a partition, asked for some attributes. Of its row groups the parent ids
/// are read, the keys where their dictionary may have one, the texts where theirs may, and the
/// integers that some need asks for.
/// Statistics say which row groups are asked, as in TableCursor. Cost: O(rows of the table and rows
/// asked about): where ids are in no order, so that each question looks at most of the table, it
/// gives up after kMostVisits times as many looks. Memory: 5 bytes for each parent of the row
/// groups that were asked last. Owner: borrows the context. Calls: from one thread.
class AttributeScreen {
 public:
  AttributeScreen(otap::TableKind kind, const std::vector<FileSummaryPtr>& files,
                  std::vector<select::AttributeNeed> any_of, ReadContext* context);

  /// Returns what is known of the parent of each row that is in `rows` and has an id; the others
  /// are kUnseen. Errors: what reading returns, and CapacityError beyond the memory limit or after
  /// too many looks.
  Result<std::vector<AttributeMatch>> Ask(const IdColumn& ids, const otap::RowSet& rows);

  /// Tells whether any parent may have one of the attributes. Errors: as Ask.
  Result<bool> MayHaveAny();

  /// Begins to have the row groups fetched that may have rows of some ids.
  void FetchAhead(Prefetcher* prefetcher, const IdRanges& ids) const;

  /// No id below this one is asked for in all likelihood: what was fetched of these may go.
  void LeaveBefore(uint32_t id);

  static constexpr int64_t kMostVisits = 8;

 private:
  /// The parents of a row group, ascending, each once.
  struct Parents {
    std::vector<uint32_t> ids;
    std::vector<AttributeMatch> matches;
    uint64_t asked_in = 0;
  };

  Result<const Parents*> ParentsOf(const ChildRowGroup& group);
  Result<Parents> Read(const ChildRowGroup& group);
  Status ReadMatches(TableFile* file, int row_group, std::vector<AttributeMatch>* matches);
  void MatchRows(const arrow::RecordBatch& rows, bool has_texts, AttributeMatch* matches) const;
  void Forget();

  otap::TableKind kind_;
  std::vector<select::AttributeNeed> any_of_;
  ReadContext* context_;
  std::vector<FileSummaryPtr> summaries_;
  std::vector<std::unique_ptr<ChildRowGroup>> groups_;
  ChildGroupIndex index_;
  KeptFiles files_;
  std::map<const ChildRowGroup*, Parents> parents_;
  Reservation held_;
  uint64_t question_ = 0;
  int64_t num_rows_ = 0;    ///< of the table, and those that were asked about
  int64_t num_visits_ = 0;  ///< rows read, and parents looked at
  bool has_given_up_ = false;
  size_t num_left_ = 0;  ///< groups in front that are not asked for any more
  std::optional<bool> may_have_any_;
};

}  // namespace df::lake
