// A value of each item in the words of conditions (docs/conditions.md): a field, a call, a
// calculation.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "otap/batch.h"
#include "select/value.h"

namespace df::select {

struct ValueProgram;

/// Checked once, read from any batch of its signal. Owner: shares the program. Calls: from any
/// thread.
class Expression {
 public:
  /// Errors: Invalid, as "line:column: what was found, what was expected".
  static Result<Expression> Compile(std::string_view text, otap::Signal signal);

  const std::string& text() const { return text_; }

 private:
  friend class ExpressionReader;
  Expression() = default;

  std::string text_;
  std::shared_ptr<const ValueProgram> program_;
};

/// Reads an expression of the rows of one table: the root table, or for metrics one of data points.
/// Owner: borrows the batch, which has the table and plain ids; values may borrow from it. Calls:
/// from one thread.
class ExpressionReader {
 public:
  ExpressionReader(const Expression& expression, const otap::Batch& batch, otap::TableKind table);
  ~ExpressionReader();
  ExpressionReader(ExpressionReader&&) noexcept;

  /// Returns the value of a row; a Failure where it has none.
  Value At(int64_t row);

  /// Rows of equal codes have equal values: less than num_codes, or -1 for a row that has none.
  /// 0 codes: nothing is known.
  int64_t num_codes() const;
  int64_t CodeAt(int64_t row) const;

 private:
  struct Bound;
  std::unique_ptr<Bound> bound_;
};

}  // namespace df::select
