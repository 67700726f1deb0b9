// What a reader did and what it could not do: the numbers behind the conservation law
// rows read = rows emitted + rows dropped{reason}.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "otap/schema.h"

namespace df::lake {

/// Why a row that was read did not go out.
enum class DropReason : uint8_t {
  kOrphan,      ///< its parent_id names no row
  kNullParent,  ///< its parent_id is null
  kUnreadable,  ///< its row group cannot be decoded
};
inline constexpr std::array<std::string_view, 3> kDropReasonNames = {"orphan", "null_parent",
                                                                     "unreadable"};

struct TableCounts {
  int64_t rows_read = 0;
  int64_t rows_emitted = 0;
  std::array<int64_t, kDropReasonNames.size()> rows_dropped{};
  /// Rows that keep everything but lose their id: it is already taken by an earlier row of the
  /// payload.
  int64_t duplicate_ids = 0;
  int64_t bytes_decoded = 0;
  int64_t files_opened = 0;
};

/// One thing that went wrong, named once.
struct Problem {
  ErrorKind kind = ErrorKind::kIo;
  std::string message;
  int64_t count = 1;
};

/// Sums over partitions; adding is commutative.
struct ReadReport {
  std::array<TableCounts, otap::kTableCount> tables;
  std::array<int64_t, kErrorKindNames.size()> errors{};
  std::vector<Problem> problems;  ///< at most kMaxProblems; the rest only counts in `errors`
  /// Named, but no record is missing or changed because of them; at most kMaxProblems.
  std::vector<Problem> notices;
  int64_t payloads = 0;
  int64_t items = 0;
  int64_t partitions = 0;          ///< replayed to the end
  int64_t partitions_stopped = 0;  ///< left in the middle because of a drain
  int64_t files_replayed = 0;      ///< main files
  int64_t files_failed = 0;        ///< main and child files that could not be read whole
  int64_t repaired_columns = 0;
  int64_t rows_without_resource =
      0;  ///< root rows whose resource and scope attributes are ambiguous
  int64_t slices_decoded_again =
      0;  ///< decoded more than once because the order of rows did not fit the budget
  int64_t peak_bytes = 0;

  static constexpr size_t kMaxProblems = 1000;

  TableCounts& table(otap::TableKind kind) { return tables[otap::TableIndex(kind)]; }
  const TableCounts& table(otap::TableKind kind) const { return tables[otap::TableIndex(kind)]; }

  /// Counts an error by kind and keeps its message unless the same one is there already.
  void Add(const Status& error);
  void AddUnlessOk(const Status& status) {
    if (!status.ok()) {
      Add(status);
    }
  }
  /// Keeps a notice unless the same one is there already; counts no error.
  void AddNotice(const Status& notice);
  void Merge(const ReadReport& other);
  int64_t num_errors() const;
};

}  // namespace df::lake
