// Which records of a batch are wanted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"
#include "select/condition.h"
#include "select/time_range.h"

namespace df::select {

/// What is wanted; what is not given asks nothing, and all that is given must hold.
struct Wishes {
  TimeRange time;
  /// By signal. Of metrics it is asked about data points.
  std::array<std::optional<Condition>, otap::kAllSignals.size()> where;
  /// Ids of 16 bytes. Log records and spans have one; of metrics nothing is wanted then.
  std::optional<std::unordered_set<std::string>> trace_ids;
};

/// What is left of a batch.
struct Selected {
  otap::BatchPtr batch;   ///< null where nothing is
  int64_t num_roots = 0;  ///< rows of the root table that stay
  /// Rows of the root table that do not stay, and might if the condition had an answer for them, or
  /// for a data point of theirs.
  int64_t num_roots_failed = 0;
  int64_t num_failed = 0;  ///< items for which the condition had no answer; they are left out
  std::string first_failure;
};

/// Takes the wanted records out of batches: log records by their time (that of observation where
/// they have none), spans by their start, data points by their time. A metric of which no point is
/// wanted goes. Calls: from any thread.
class Selector {
 public:
  explicit Selector(Wishes wishes) : wishes_(std::move(wishes)) {}

  const Wishes& wishes() const { return wishes_; }

  /// Returns what selects once it is known which traces the questions of the conditions are true
  /// of: by signal, then by question (Condition::trace_questions).
  Selector WithTraces(std::array<std::vector<TraceIdsPtr>, otap::kAllSignals.size()> found) const;

  /// Returns traces of which a record of a signal must be one because of its condition; null where
  /// that asks for none.
  const TraceIds* NeededTraces(otap::Signal signal) const;

  /// Tells whether it leaves every batch of a signal as it is.
  bool TakesAll(otap::Signal signal) const;

  /// Tells whether the root table of a signal alone may show that a row is not wanted.
  bool CanScreen(otap::Signal signal) const;

  /// Returns the columns of the root table that screening reads, as Condition::RootPartColumns.
  std::vector<std::string_view> ScreenColumns(otap::Signal signal) const;

  /// Returns the rows of the root table that may be wanted, by that table alone: other tables and
  /// the ids need not be there. Of these, sets those in `failed` (which may be null) for which the
  /// condition has no answer. For signals that can be screened.
  otap::RowSet Screen(const otap::Batch& batch, otap::RowSet* failed = nullptr) const;

  /// Returns what must stand in attribute tables, as Condition::attribute_needs.
  const std::vector<AttributeNeeds>& NeedsOf(otap::Signal signal) const;

  /// Needs plain ids. Errors: those of Arrow.
  Result<Selected> Select(const otap::BatchPtr& batch) const;

 private:
  otap::RowSet InTimeAndTraces(const arrow::RecordBatch& rows, otap::TableKind table) const;
  otap::RowSet Ask(const otap::Batch& batch, otap::TableKind table, otap::RowSet* failed,
                   Selected* selected) const;

  Wishes wishes_;
};

/// Returns the time of each row that selection goes by, as stored: for logs 0 where neither time is
/// set. Needs a root table of logs or spans, or one of data points.
std::vector<int64_t> EventTimes(const arrow::RecordBatch& rows, otap::TableKind table);

}  // namespace df::select
