// Which root rows have children: what tells of files that are missing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lake/format/id_ranges.h"
#include "lake/read/nested_ids.h"
#include "lake/read/root_cursor.h"
#include "lake/report/read_report.h"
#include "lake/scan/file_gaps.h"
#include "lake/scan/id_map.h"
#include "otap/schema.h"

namespace df::lake {

/// Counts, over the payloads of a reader, the rows of each table without a row in its child tables.
/// A log record has an id only for its attributes, so one without any is a hole. A metric of a type
/// without a data point is rare, and a long stretch of rows without children in a table that nearly
/// all others have rows in is improbable; both are named as notices. For the rest (a span without
/// links) nothing is to be expected.
class ExpectedChildren {
 public:
  explicit ExpectedChildren(otap::TableKind root) : root_(root) {}

  /// Tells which files there are, so that rows are named whose children may be in a file that is
  /// missing between them. Not for files that name the set they belong to.
  void UseFiles(const PartitionFiles& files);

  /// Starts with the root rows of a payload; their ids and `map` are borrowed until Commit.
  void Begin(const RootRows& rows, const IdMap& map);

  /// Takes the rows of a table that others may point to: their old ids, borrowed until Commit.
  void SetParents(otap::TableKind table, std::span<const uint32_t> ids, const IdMap& map);

  /// Takes the parents (new ids) of all rows that a table has for the payload; may be repeated with
  /// more. Returns how many parents must have one and have none.
  int64_t Mark(otap::TableKind table, std::span<const uint32_t> parents);

  /// Takes the resources or scopes that rows of the payload refer to.
  void SetReferences(otap::TableKind table, std::vector<AttributeReference> references) {
    references_[otap::TableIndex(table)] = std::move(references);
  }

  /// The payload has gone out: adds what Mark found to the sums.
  void Commit();

  /// Names what is missing, at most one line a table. `is_unreadable` tells of tables of which
  /// something could not be read, which was reported.
  void Name(const std::string& partition, const std::array<bool, otap::kTableCount>& is_unreadable,
            ReadReport* report) const;

 private:
  struct Parents {
    std::span<const uint32_t> ids;
    const IdMap* map = nullptr;
  };
  /// Rows one behind the other without a row in a child table.
  struct Stretch {
    int64_t num_rows = 0;
    IdRange ids = kEmptyIdRange;
  };
  struct Sums {
    int64_t num_with = 0;
    int64_t num_without = 0;
    Stretch current;
    Stretch longest;
    Stretch missing;  ///< all rows that must have one and have none
  };
  struct Marks {
    bool is_marked = false;
    int64_t num_with = 0;            ///< parents that have a child
    int64_t num_missing = 0;         ///< parents that must have one and have none
    std::vector<uint8_t> has_child;  ///< by new id
  };

  bool MustHave(otap::TableKind table, int64_t row) const {
    return table == otap::TableKind::kLogAttrs ||
           points_of_row_[static_cast<size_t>(row)] == static_cast<uint8_t>(table);
  }
  void AddStretches(const Parents& parents, const Marks& marks, Sums* sums) const;
  void AddMissing(otap::TableKind table, const Marks& marks, Sums* sums) const;
  void AddReferences(otap::TableKind table);
  static std::span<const uint32_t> OldIds(const Parents& parents, const Marks& marks,
                                          std::vector<uint32_t>* chosen);
  const Parents& ParentsOf(otap::TableKind table) const {
    return parents_[otap::TableIndex(*otap::GetTable(table).parent)];
  }
  std::optional<Status> Describe(otap::TableKind table, const std::string& partition) const;
  std::optional<Status> DescribeGap(otap::TableKind table, const std::string& partition) const;

  otap::TableKind root_;
  bool are_counted_ = false;  ///< each root file says how many rows of other tables belong to it
  int64_t num_rows_ = 0;      ///< of the payload
  /// Metrics: the table that the type of a row has its data points in; kNoTable for others.
  std::vector<uint8_t> points_of_row_;
  std::array<Parents, otap::kTableCount> parents_;
  std::array<Marks, otap::kTableCount> marks_;
  std::array<Sums, otap::kTableCount> sums_;
  FileSummaryPtr file_;  ///< that the payload is of
  std::array<std::optional<FileGaps>, otap::kTableCount> gaps_;
  std::array<std::vector<AttributeReference>, otap::kTableCount> references_;  ///< of the payload
  std::array<std::optional<uint32_t>, otap::kTableCount> largest_reference_;
};

}  // namespace df::lake
