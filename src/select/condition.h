// A condition on log records, spans or data points, in a part of OTTL (docs/conditions.md).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "otap/batch.h"
#include "otap/rows.h"

namespace df::select {

struct Program;

/// Rows for which a condition is true, and for which it has no answer.
struct Answer {
  explicit Answer(int64_t num_rows) : yes(num_rows), failed(num_rows) {}

  otap::RowSet yes;
  otap::RowSet failed;
  std::string first_failure;  ///< of one of the rows that failed: why it has none
};

/// Checked once, asked about any batch of its signal. Owner: shares the program. Calls: from any
/// thread.
class Condition {
 public:
  /// Errors: Invalid, as "line:column: what was found, what was expected".
  static Result<Condition> Compile(std::string_view text, otap::Signal signal);

  const std::string& text() const { return text_; }
  otap::Signal signal() const { return signal_; }

  /// Tells whether all that it reads stands in the root table: no attributes, no data points.
  bool reads_root_only() const;

  /// Asks about some rows of a table: the root table, or for metrics one of data points. Needs
  /// plain ids. Cost: O(rows of the table and of the attribute tables that it names); conditions on
  /// one column with a dictionary are evaluated once for each entry.
  Answer Ask(const otap::Batch& batch, otap::TableKind table, const otap::RowSet& asked) const;

 private:
  Condition() = default;

  std::string text_;
  otap::Signal signal_ = otap::Signal::kLogs;
  std::shared_ptr<const Program> program_;
};

}  // namespace df::select
