// Log records of a batch.
#pragma once

#include "otlp/value_walk.h"

namespace df::otlp {

class LogWalk {
 public:
  static constexpr RequestFields kFields = kLogsShapes.fields();

  LogWalk(const WalkContext& context, const ColumnSource& root)
      : stats_(context.stats),
        body_values_(root.Struct("body", &body_)),
        attributes_(context, otap::TableKind::kLogAttrs) {
    root.Bind("id", &id_);
    root.Bind("time_unix_nano", &time_);
    root.Bind("observed_time_unix_nano", &observed_time_);
    root.Bind("trace_id", &trace_id_);
    root.Bind("span_id", &span_id_);
    root.Bind("severity_number", &severity_number_);
    root.Bind("severity_text", &severity_text_);
    root.Bind("dropped_attributes_count", &dropped_attributes_count_);
    root.Bind("event_name", &event_name_);
    root.Bind("flags", &flags_);
  }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    ++stats_->items;
    WriteTime(log_fields::kTime, time_, row, writer);
    WriteTime(log_fields::kObservedTime, observed_time_, row, writer);
    WriteEnum(log_fields::kSeverityNumber, severity_number_, row, writer);
    WriteText(log_fields::kSeverityText, severity_text_, row, writer);
    WriteText(log_fields::kEventName, event_name_, row, writer);
    if (body_.Has(row)) {
      writer->Message(log_fields::kBody, Expect::kTiny,
                      [&] { WriteValue(body_values_, row, kBodyLevel, stats_, writer); });
    }
    WriteAttributes(log_fields::kAttributes, attributes_, id_, row, stats_, writer);
    WriteUInt32(log_fields::kDroppedAttributesCount, dropped_attributes_count_, row, writer);
    WriteFixed32(log_fields::kFlags, flags_, row, writer);
    WriteId(log_fields::kTraceId, trace_id_, row, writer);
    WriteId(log_fields::kSpanId, span_id_, row, writer);
  }

 private:
  EncodeStats* stats_;
  StructRows body_;
  ValueColumns body_values_;
  AttributeTable attributes_;
  NumberColumn<uint16_t> id_;
  NumberColumn<int64_t> time_;
  NumberColumn<int64_t> observed_time_;
  FixedBytesColumn trace_id_;
  FixedBytesColumn span_id_;
  NumberColumn<int32_t> severity_number_;
  BytesColumn severity_text_;
  NumberColumn<uint32_t> dropped_attributes_count_;
  BytesColumn event_name_;
  NumberColumn<uint32_t> flags_;
};

}  // namespace df::otlp
