// What a reader did and what it could not do: the numbers behind the conservation law
// rows listed = rows emitted + rows dropped{reason} + rows left for another time.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "lake/report/problem_list.h"
#include "otap/schema.h"

namespace df::lake {

/// Why a row that was listed did not go out. The names are stable: they label counters.
enum class DropReason : uint8_t {
  kOrphan,           ///< its parent_id names no row
  kNullParent,       ///< its parent_id is null
  kUnreadable,       ///< its row group cannot be decoded, or its batch cannot be built
  kLostParent,       ///< the row that it belongs to was dropped
  kWrongStatistics,  ///< the statistics of its row group hid it until its parent was sent
  kRefused,          ///< a setting forbids to send it: resource_join is 'fail'
  kSelectedOut,      ///< nobody wants it: it is not of the selection, which is no fault
  kUnanswered,       ///< the condition of the selection has no answer for it
  kMisplaced,        ///< a data point, and what hangs below it, that its metric has no place for
};
inline constexpr std::array<std::string_view, 9> kDropReasonNames = {
    "orphan",  "null_parent",  "unreadable", "lost_parent", "wrong_statistics",
    "refused", "selected_out", "unanswered", "misplaced"};

/// What showed that something need not be read. The names are stable: they label counters.
enum class SkipCause : uint8_t {
  kTimes,       ///< statistics of times
  kTraceIds,    ///< bloom filters of trace ids
  kColumns,     ///< the columns that the selection goes by, which were read
  kAttributes,  ///< the same of attribute tables, or dictionaries of these
  kParents,     ///< no record that is wanted has these children
};
inline constexpr std::array<std::string_view, 5> kSkipCauseNames = {"times", "trace_ids", "columns",
                                                                    "attributes", "parents"};

/// What was not read, of any table. What was skipped in one is not in another.
struct SkipCounts {
  int64_t files = 0;       ///< of which nothing but the footer was read
  int64_t row_groups = 0;  ///< those of skipped files included
  int64_t pages = 0;       ///< of row groups that were read in part
  int64_t rows = 0;        ///< of skipped row groups, and passed over in others
  int64_t bytes = 0;       ///< as stored, of skipped row groups and pages

  void Add(const SkipCounts& other) {
    files += other.files;
    row_groups += other.row_groups;
    pages += other.pages;
    rows += other.rows;
    bytes += other.bytes;
  }
  bool operator==(const SkipCounts&) const = default;
};

/// What became of the rows of one table. A row counts once, also where it goes out more than once
/// (the attributes of a resource with every batch that refers to it).
struct TableCounts {
  /// Rows of the files that a reader was given, by their footers. A file that several readers are
  /// given (resource and scope attributes: one reader a signal) counts for each.
  int64_t rows_listed = 0;
  int64_t rows_read = 0;  ///< emitted or dropped
  int64_t rows_emitted = 0;
  std::array<int64_t, kDropReasonNames.size()> rows_dropped{};
  /// Rows that nobody asked for: of another signal, of root files that are read at another time, or
  /// behind the place where the reader was stopped.
  int64_t rows_left = 0;
  /// Rows that keep everything but lose their id: it is already taken by an earlier row of the
  /// payload.
  int64_t duplicate_ids = 0;
  /// Texts that were not UTF-8 and went out with U+FFFD in place of the bytes that were not.
  int64_t replaced_texts = 0;
  int64_t bytes_decoded = 0;
  int64_t files_opened = 0;

  void AddEmitted(int64_t rows) {
    rows_read += rows;
    rows_emitted += rows;
  }
  void AddDropped(DropReason reason, int64_t rows) {
    rows_read += rows;
    rows_dropped[static_cast<size_t>(reason)] += rows;
  }
  /// Rows that count as emitted were left out of the batch that they were read for.
  void MoveToDropped(DropReason reason, int64_t rows) {
    rows_emitted -= rows;
    rows_dropped[static_cast<size_t>(reason)] += rows;
  }
  int64_t dropped(DropReason reason) const { return rows_dropped[static_cast<size_t>(reason)]; }
  int64_t num_dropped() const;
};

/// Errors by kind.
using ErrorCounts = std::array<int64_t, kErrorKindNames.size()>;

/// Sums over partitions; adding is commutative.
struct ReadReport {
  static constexpr size_t kMaxProblems = 1000;
  static constexpr size_t kMaxLatest = 100;

  std::array<TableCounts, otap::kTableCount> tables;
  ErrorCounts errors{};
  ProblemList problems{kMaxProblems};  ///< the first ones; all count in `errors`
  ProblemList latest{kMaxLatest};      ///< the last of those that found no place there
  int64_t num_forgotten = 0;           ///< problems that are in neither list any more
  ProblemList notices{kMaxProblems};   ///< no record is missing or changed because of them
  int64_t payloads = 0;
  int64_t items = 0;
  int64_t partitions = 0;          ///< replayed to the end
  int64_t partitions_stopped = 0;  ///< left in the middle because of a drain
  int64_t files_replayed = 0;      ///< main files
  int64_t files_skipped = 0;       ///< main files: statistics show that nobody wants a row of them
  int64_t row_groups_skipped = 0;  ///< of main files, those of skipped files included
  int64_t payloads_skipped = 0;    ///< stretches of root rows whose children were not looked for
  std::array<SkipCounts, kSkipCauseNames.size()> skips{};  ///< by cause
  int64_t files_failed = 0;    ///< main and child files that could not be read whole
  int64_t files_unlisted = 0;  ///< of these: not opened, so rows_listed does not have their rows
  int64_t repaired_columns = 0;
  int64_t late_rows =
      0;  ///< of child files that came after the records they may belong to were sent
  int64_t rows_without_resource =
      0;  ///< root rows whose resource and scope attributes are ambiguous
  int64_t slices_decoded_again =
      0;  ///< decoded more than once because the order of rows did not fit the budget
  int64_t peak_bytes = 0;

  TableCounts& table(otap::TableKind kind) { return tables[otap::TableIndex(kind)]; }
  const TableCounts& table(otap::TableKind kind) const { return tables[otap::TableIndex(kind)]; }

  SkipCounts& skipped(SkipCause cause) { return skips[static_cast<size_t>(cause)]; }
  const SkipCounts& skipped(SkipCause cause) const { return skips[static_cast<size_t>(cause)]; }

  /// Counts an error by kind and keeps its message unless the same one is there already. Of files
  /// that are refused for the same reason of their schema, the first is named and all are counted.
  void Add(const Status& error, int64_t count = 1);
  void AddUnlessOk(const Status& status) {
    if (!status.ok()) {
      Add(status);
    }
  }
  /// Adds why a file could not be opened.
  void AddUnlisted(const Status& error);
  /// Keeps a notice unless the same one is there already; counts no error.
  void AddNotice(const Status& notice);
  void Merge(const ReadReport& other);
  int64_t num_errors() const;

  /// Checks, table by table, that every listed row is emitted, dropped for a reason or left, and
  /// none twice. Holds whenever no reader is alive. Errors: Invalid naming the table and its sums.
  Status CheckConservation() const;

 private:
  void Keep(const Problem& problem);
};

}  // namespace df::lake
