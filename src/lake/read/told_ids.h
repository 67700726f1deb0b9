// Which rows of a payload children may be joined to.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "lake/catalog/file_summary.h"
#include "lake/read/root_cursor.h"
#include "lake/scan/id_map.h"
#include "lake/scan/repeated_ids.h"
#include "lake/scan/reservation.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Maps the ids of the rows of a payload, but for those that other rows of their table have too, in
/// the payload or not: whose their children are cannot be told, so they go out without any, counted
/// and named. Owner: borrows files and context.
class ToldIds {
 public:
  ToldIds(const PartitionFiles& files, otap::TableKind root, ReadContext* context);

  IdMap MapRoots(const RootRows& rows);

  /// Maps the ids of rows of another table.
  IdMap MapChildren(otap::TableKind kind, const ChildRows& rows);

  /// Counts, or forgets, the rows left out since the last call of either.
  void Commit();
  void Rollback() { left_out_now_ = {}; }

  /// Names the tables with rows that were left out.
  void Name();

 private:
  struct LeftOut {
    int64_t num_rows = 0;
    int64_t num_zeros = 0;  ///< of these: with id 0
    IdRange ids = kEmptyIdRange;
  };

  void NameWrongStatistics(otap::TableKind kind) const;
  const RepeatedIds& FindRepeated(otap::TableKind kind);
  bool HasChildFiles(otap::TableKind kind) const;
  template <typename Condition>
  bool AnyChildFile(otap::TableKind kind, Condition&& holds) const;
  template <typename IsValid, typename IsRepeated>
  IdMap Map(otap::TableKind kind, const uint32_t* ids, int64_t count, IsValid&& is_valid,
            IsRepeated&& is_repeated);

  const PartitionFiles& files_;
  otap::TableKind root_;
  ReadContext* context_;
  std::array<std::optional<RepeatedIds>, otap::kTableCount> repeated_;
  std::array<LeftOut, otap::kTableCount> left_out_;
  std::array<LeftOut, otap::kTableCount> left_out_now_;  ///< of the payload in hand

  // Of the row group of the root rows in hand.
  FileSummaryPtr root_file_;
  int root_group_ = -1;
  ParentIdSet root_repeats_;
  Reservation root_repeats_held_;
};

}  // namespace df::lake
