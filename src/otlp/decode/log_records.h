// Log records out of protobuf.
#pragma once

#include <cstdint>
#include <string_view>

#include "otap/batch.h"
#include "otlp/decode/group_builder.h"

namespace df::otlp {

/// Fills the tables of logs, but for resources and scopes.
class LogRecords {
 public:
  static constexpr RequestFields kFields = kLogsShapes.fields();
  static constexpr otap::Signal kSignal = otap::Signal::kLogs;

  /// Appends a LogRecord message as the next row. Returns false when it is malformed.
  bool Append(std::string_view record, ValueReader* reader);

  int64_t num_rows() const { return num_rows_; }
  /// Ids of a length that no id has, since the last Clear.
  int64_t invalid_ids() const { return invalid_ids_; }

  /// Sets the root table and those below it. Errors: OutOfMemory.
  arrow::Status Finish(GroupBuilder* groups, otap::BatchBuilder* batch);
  void Clear();

 private:
  arrow::Result<ArrayDataPtr> FinishIds();
  arrow::Result<ArrayDataPtr> FinishBody();

  int64_t num_rows_ = 0;
  int64_t invalid_ids_ = 0;
  uint32_t num_ids_ = 0;
  OptionalBuilder<uint16_t> ids_;
  NumberBuilder<int64_t> times_;
  NumberBuilder<int64_t> observed_times_;
  IdBuilder<16> trace_ids_;
  IdBuilder<8> span_ids_;
  NumberBuilder<int32_t> severity_numbers_;
  TextBuilder severity_texts_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<uint8_t> has_body_;
  ValueBuilder bodies_;
  NumberBuilder<uint32_t> dropped_attributes_counts_;
  TextBuilder event_names_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<uint32_t> flags_;
  AttributeBuilder attributes_{otap::TableKind::kLogAttrs};
};

}  // namespace df::otlp
