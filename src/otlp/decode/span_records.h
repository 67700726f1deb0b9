// Spans with their events and links out of protobuf.
#pragma once

#include <cstdint>
#include <string_view>

#include "otap/batch.h"
#include "otlp/decode/group_builder.h"

namespace df::otlp {

/// Fills SPAN_EVENTS and its attributes; every event has an id.
class EventBuilder {
 public:
  bool Append(uint16_t span, std::string_view event, ValueReader* reader);
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  int64_t num_rows_ = 0;
  NumberBuilder<uint16_t> parents_;
  NumberBuilder<int64_t> times_;
  TextBuilder names_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<uint32_t> dropped_attributes_counts_;
  AttributeBuilder attributes_{otap::TableKind::kSpanEventAttrs};
};

/// Fills SPAN_LINKS and its attributes; every link has an id.
class LinkBuilder {
 public:
  bool Append(uint16_t span, std::string_view link, ValueReader* reader);
  int64_t invalid_ids() const { return invalid_ids_; }
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  int64_t num_rows_ = 0;
  int64_t invalid_ids_ = 0;
  NumberBuilder<uint16_t> parents_;
  IdBuilder<16> trace_ids_;
  IdBuilder<8> span_ids_;
  TextBuilder trace_states_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<uint32_t> dropped_attributes_counts_;
  NumberBuilder<uint32_t> flags_;
  AttributeBuilder attributes_{otap::TableKind::kSpanLinkAttrs};
};

/// Fills the tables of traces, but for resources and scopes.
class SpanRecords {
 public:
  static constexpr RequestFields kFields = kTracesShapes.fields();
  static constexpr otap::Signal kSignal = otap::Signal::kTraces;

  /// Appends a Span message as the next row. Returns false when it is malformed.
  bool Append(std::string_view record, ValueReader* reader);

  int64_t num_rows() const { return num_rows_; }
  /// Ids of a length that no id has, since the last Clear.
  int64_t invalid_ids() const { return invalid_ids_ + links_.invalid_ids(); }

  /// Sets the root table and those below it. Errors: OutOfMemory.
  arrow::Status Finish(GroupBuilder* groups, otap::BatchBuilder* batch);
  void Clear();

 private:
  struct SpanFields;
  bool Read(std::string_view record, ValueReader* reader, SpanFields* span);
  static bool ReadStatus(std::string_view message, ValueReader* reader, SpanFields* span);
  arrow::Result<ArrayDataPtr> FinishStatus();

  int64_t num_rows_ = 0;
  int64_t invalid_ids_ = 0;
  NumberBuilder<int64_t> start_times_;
  NumberBuilder<int64_t> durations_;
  IdBuilder<16> trace_ids_;
  IdBuilder<8> span_ids_;
  TextBuilder trace_states_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  IdBuilder<8> parent_span_ids_;
  TextBuilder names_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<int32_t> kinds_;
  NumberBuilder<uint32_t> dropped_attributes_counts_;
  NumberBuilder<uint32_t> dropped_events_counts_;
  NumberBuilder<uint32_t> dropped_links_counts_;
  NumberBuilder<uint8_t> has_status_;
  NumberBuilder<int32_t> status_codes_;
  TextBuilder status_messages_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<uint32_t> flags_;
  AttributeBuilder attributes_{otap::TableKind::kSpanAttrs};
  EventBuilder events_;
  LinkBuilder links_;
};

}  // namespace df::otlp
