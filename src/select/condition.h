// A condition on log records, spans or data points, in a part of OTTL (docs/conditions.md).
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"
#include "otap/rows.h"
#include "select/attribute_needs.h"
#include "select/trace_ids.h"

namespace df::select {

struct Program;

/// Rows for which a condition is true, and for which it has no answer.
struct Answer {
  explicit Answer(int64_t num_rows) : yes(num_rows), failed(num_rows) {}

  otap::RowSet yes;
  otap::RowSet failed;
  std::string first_failure;  ///< of one of the rows that failed: why it has none
};

/// Whether a condition may ask about the other spans, or log records, of a trace: trace.any.
enum class TraceQuestions : uint8_t { kRefused, kAllowed };

/// Checked once, asked about any batch of its signal. Owner: shares the program. Calls: from any
/// thread.
class Condition {
 public:
  /// Errors: Invalid, as "line:column: what was found, what was expected".
  static Result<Condition> Compile(std::string_view text, otap::Signal signal,
                                   TraceQuestions questions = TraceQuestions::kRefused);

  const std::string& text() const { return text_; }
  otap::Signal signal() const { return signal_; }

  /// Returns what trace.any asks, each text once: conditions for the same signal, without
  /// trace.any.
  std::span<const std::string> trace_questions() const { return questions_; }

  /// Returns the condition that takes `found` for the traces in which each of its questions is true
  /// of something. Without them no row has an answer that depends on one.
  Condition WithTraces(std::vector<TraceIdsPtr> found) const;

  /// Returns traces of which a row must be one, by the root part; null where it asks for none.
  const TraceIds* needed_traces() const {
    return needed_question_ < found_.size() ? found_[needed_question_].get() : nullptr;
  }

  /// Tells whether it reads attributes of the items, their resources or their scopes.
  bool ReadsAttributes(Place place) const;

  /// Tells whether some of it reads the root table alone, and no ids: where AskRootPart says no of
  /// a row, Ask says no of it, or of every data point of it.
  bool has_root_part() const { return root_part_ != nullptr; }

  /// Returns the columns of the root table that the part reads, as "name" or "status.code"; the
  /// name of a struct stands for all of it.
  std::vector<std::string_view> RootPartColumns() const;

  /// Asks the part about some rows of the root table. Other tables need not be there.
  Answer AskRootPart(const otap::Batch& batch, const otap::RowSet& asked) const;

  /// Returns what must stand in attribute tables behind the root part: the condition is false for a
  /// row that lacks one of these, and has an answer, unless the value of one in front of it is
  /// broken, a map or a list.
  const std::vector<AttributeNeeds>& attribute_needs() const { return attribute_needs_; }

  /// Asks about some rows of a table: the root table, or for metrics one of data points. Needs
  /// plain ids. Cost: O(rows of the table and of the attribute tables that it names); conditions on
  /// one column with a dictionary are evaluated once for each entry.
  Answer Ask(const otap::Batch& batch, otap::TableKind table, const otap::RowSet& asked) const;

 private:
  Condition() = default;

  std::string text_;
  otap::Signal signal_ = otap::Signal::kLogs;
  std::shared_ptr<const Program> program_;
  std::shared_ptr<const Program> root_part_;  ///< null where no part reads the root table alone
  std::vector<AttributeNeeds> attribute_needs_;
  std::vector<std::string> questions_;
  std::vector<TraceIdsPtr> found_;  ///< by question; empty where nobody has looked
  size_t needed_question_ = std::numeric_limits<size_t>::max();
};

}  // namespace df::select
