// Log records, spans and data points as lines of text and of JSON.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"
#include "select/expression.h"

namespace df::app {

enum class RecordForm : uint8_t {
  kLine,      ///< a line for each record
  kDetailed,  ///< a line for each record, and one for each of its fields behind it
  kJson,      ///< an object for each record, on a line (docs/commands.md)
};

struct RecordStyle {
  RecordForm form = RecordForm::kLine;
  bool has_color = false;
};

/// Returns the tables of a batch whose rows are its items: those of data points for metrics.
std::vector<otap::TableKind> ItemTablesOf(const otap::Batch& batch);

/// Returns "ERROR" of a severity number from 1 to 24, "" of others.
std::string_view SeverityName(int64_t number);

/// What is read of each item of a signal. Calls: from any thread.
class RecordFields {
 public:
  static Result<RecordFields> Make(otap::Signal signal);

  otap::Signal signal() const { return signal_; }
  const std::vector<select::Expression>& expressions() const { return expressions_; }

 private:
  RecordFields() = default;

  otap::Signal signal_ = otap::Signal::kLogs;
  std::vector<select::Expression> expressions_;
};

/// Places of fields in RecordFields::expressions() that others read.
namespace record_fields {
inline constexpr size_t kService = 0;
inline constexpr size_t kAttributes = 1;
inline constexpr size_t kLogSpanId = 12;
inline constexpr size_t kSpanName = 7;
inline constexpr size_t kSpanEndNanos = 9;
inline constexpr size_t kSpanStatusCode = 10;
inline constexpr size_t kSpanStatusMessage = 11;
inline constexpr size_t kSpanId = 13;
inline constexpr size_t kSpanParentId = 14;
}  // namespace record_fields

/// Events and links of the spans of a batch.
class SpanChildren;

/// Writes items of one table of a batch. Owner: borrows the batch and the fields. Calls: from one
/// thread.
class RecordTexts {
 public:
  RecordTexts(const RecordFields& fields, const otap::Batch& batch, otap::TableKind table,
              RecordStyle style);
  ~RecordTexts();

  /// Returns whole lines.
  std::string At(int64_t row);

  int64_t TimeAt(int64_t row) const { return times_[static_cast<size_t>(row)]; }

  /// Returns " k=v" for each attribute.
  std::string AttributesAt(int64_t row);

  /// Returns a field by its place in RecordFields.
  select::Value Read(size_t field, int64_t row) { return readers_[field].At(row); }

 private:
  std::string JsonAt(int64_t row);
  std::string LineAt(int64_t row);
  void AppendLogLine(int64_t row, std::string* line);
  void AppendSpanLine(int64_t row, std::string* line);
  void AppendPointLine(int64_t row, std::string* line);
  void AppendDetails(int64_t row, std::string* text);
  void AppendPointNumbers(int64_t row, std::string* json);

  const RecordFields& fields_;
  const otap::Batch& batch_;
  otap::TableKind table_;
  RecordStyle style_;
  std::vector<int64_t> times_;
  std::vector<select::ExpressionReader> readers_;
  std::unique_ptr<SpanChildren> children_;
};

}  // namespace df::app
