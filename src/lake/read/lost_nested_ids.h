// Root files whose rows have lost their resource or scope ids.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lake/read/nested_ids.h"
#include "lake/read/partition_reader.h"
#include "lake/read/root_cursor.h"
#include "lake/scan/table_cursor.h"

namespace df::lake {

/// Notes which root files have rows with a resource and a scope, over the payloads of a reader.
class LostNestedIds {
 public:
  /// Takes the rows of a payload; they count when Commit is called.
  void Note(const RootRows& rows, const NestedIds& nested);
  void Commit();
  void Rollback() { now_.clear(); }

  /// Names root files in which no row has a resource or a scope although attributes are there that
  /// no row refers to: they may be those of its rows. Where attributes join as stored, some rows
  /// without one are enough.
  void Name(const PartitionTask& task, const std::vector<otap::Signal>& signals,
            const ReadContext& context) const;

 private:
  struct Seen {
    FileSummaryPtr file;
    std::array<bool, 2> has_ids{};      ///< resources, scopes
    std::array<int64_t, 2> num_bare{};  ///< rows without one
  };
  /// What is named of one table.
  struct Loss {
    otap::TableKind kind = otap::TableKind::kResourceAttrs;
    std::string where;
    const FileSummary* first = nullptr;
    int64_t num_files = 0;
  };
  static void NameLoss(const Loss& loss, const PartitionTask& task,
                       const std::vector<otap::Signal>& signals, const ReadContext& context);

  std::vector<Seen> seen_;  ///< by root file with rows that could be read
  std::vector<Seen> now_;   ///< of the payload in hand
};

}  // namespace df::lake
