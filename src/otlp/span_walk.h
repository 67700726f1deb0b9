// Spans of a batch, with their events and links.
#pragma once

#include "otlp/value_walk.h"

namespace df::otlp {

class SpanEventWalk {
 public:
  explicit SpanEventWalk(const WalkContext& context)
      : stats_(context.stats),
        table_(context, otap::TableKind::kSpanEvents),
        attributes_(context, otap::TableKind::kSpanEventAttrs) {
    table_.source.Bind("id", &id_);
    table_.source.Bind("time_unix_nano", &time_);
    table_.source.Bind("name", &name_);
    table_.source.Bind("dropped_attributes_count", &dropped_attributes_count_);
  }

  ChildIndex::Rows Of(uint32_t span) const { return table_.rows.Of(span); }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    WriteTime(event_fields::kTime, time_, row, writer);
    WriteText(event_fields::kName, name_, row, writer);
    WriteAttributes(event_fields::kAttributes, attributes_, id_, row, stats_, writer);
    WriteUInt32(event_fields::kDroppedAttributesCount, dropped_attributes_count_, row, writer);
  }

 private:
  EncodeStats* stats_;
  ChildTable table_;
  AttributeTable attributes_;
  NumberColumn<uint32_t> id_;
  NumberColumn<int64_t> time_;
  BytesColumn name_;
  NumberColumn<uint32_t> dropped_attributes_count_;
};

class SpanLinkWalk {
 public:
  explicit SpanLinkWalk(const WalkContext& context)
      : stats_(context.stats),
        table_(context, otap::TableKind::kSpanLinks),
        attributes_(context, otap::TableKind::kSpanLinkAttrs) {
    table_.source.Bind("id", &id_);
    table_.source.Bind("trace_id", &trace_id_);
    table_.source.Bind("span_id", &span_id_);
    table_.source.Bind("trace_state", &trace_state_);
    table_.source.Bind("dropped_attributes_count", &dropped_attributes_count_);
    table_.source.Bind("flags", &flags_);
  }

  ChildIndex::Rows Of(uint32_t span) const { return table_.rows.Of(span); }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    WriteId(link_fields::kTraceId, trace_id_, row, writer);
    WriteId(link_fields::kSpanId, span_id_, row, writer);
    WriteText(link_fields::kTraceState, trace_state_, row, writer);
    WriteAttributes(link_fields::kAttributes, attributes_, id_, row, stats_, writer);
    WriteUInt32(link_fields::kDroppedAttributesCount, dropped_attributes_count_, row, writer);
    WriteFixed32(link_fields::kFlags, flags_, row, writer);
  }

 private:
  EncodeStats* stats_;
  ChildTable table_;
  AttributeTable attributes_;
  NumberColumn<uint32_t> id_;
  FixedBytesColumn trace_id_;
  FixedBytesColumn span_id_;
  BytesColumn trace_state_;
  NumberColumn<uint32_t> dropped_attributes_count_;
  NumberColumn<uint32_t> flags_;
};

class SpanWalk {
 public:
  static constexpr RequestFields kFields = kTracesShapes.fields();

  SpanWalk(const WalkContext& context, const ColumnSource& root)
      : stats_(context.stats),
        attributes_(context, otap::TableKind::kSpanAttrs),
        events_(context),
        links_(context) {
    root.Bind("id", &id_);
    root.Bind("start_time_unix_nano", &start_time_);
    root.Bind("duration_time_unix_nano", &duration_);
    root.Bind("trace_id", &trace_id_);
    root.Bind("span_id", &span_id_);
    root.Bind("trace_state", &trace_state_);
    root.Bind("parent_span_id", &parent_span_id_);
    root.Bind("name", &name_);
    root.Bind("kind", &kind_);
    root.Bind("dropped_attributes_count", &dropped_attributes_count_);
    root.Bind("dropped_events_count", &dropped_events_count_);
    root.Bind("dropped_links_count", &dropped_links_count_);
    root.Bind("flags", &flags_);
    const ColumnSource status = root.Struct("status", &status_);
    status.Bind("code", &status_code_);
    status.Bind("status_message", &status_message_);
  }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    ++stats_->items;
    WriteId(span_fields::kTraceId, trace_id_, row, writer);
    WriteId(span_fields::kSpanId, span_id_, row, writer);
    WriteText(span_fields::kTraceState, trace_state_, row, writer);
    WriteId(span_fields::kParentSpanId, parent_span_id_, row, writer);
    WriteText(span_fields::kName, name_, row, writer);
    WriteEnum(span_fields::kKind, kind_, row, writer);
    WriteTimes(row, writer);
    WriteAttributes(span_fields::kAttributes, attributes_, id_, row, stats_, writer);
    WriteUInt32(span_fields::kDroppedAttributesCount, dropped_attributes_count_, row, writer);
    WriteChildren(span_fields::kEvents, events_, row, writer);
    WriteUInt32(span_fields::kDroppedEventsCount, dropped_events_count_, row, writer);
    WriteChildren(span_fields::kLinks, links_, row, writer);
    WriteUInt32(span_fields::kDroppedLinksCount, dropped_links_count_, row, writer);
    if (status_.Has(row)) {
      writer->Message(span_fields::kStatus, Expect::kTiny, [&] {
        WriteText(span_fields::kStatusMessage, status_message_, row, writer);
        WriteEnum(span_fields::kStatusCode, status_code_, row, writer);
      });
    }
    WriteFixed32(span_fields::kFlags, flags_, row, writer);
  }

 private:
  template <typename Writer>
  void WriteTimes(int64_t row, Writer* writer) const {
    WriteTime(span_fields::kStartTime, start_time_, row, writer);
    // Modular: negative durations and starts past 2262 are real, and come back to the same end.
    const uint64_t end = static_cast<uint64_t>(start_time_.ValueOr(row, 0)) +
                         static_cast<uint64_t>(duration_.ValueOr(row, 0));
    if (end != 0) {
      writer->Fixed64(span_fields::kEndTime, end);
    }
  }

  template <typename Writer, typename Children>
  void WriteChildren(Field field, const Children& children, int64_t row, Writer* writer) const {
    if (!id_.Has(row)) {
      return;
    }
    const ChildIndex::Rows rows = children.Of(id_.Value(row));
    if (rows.empty()) {
      return;
    }
    writer->List(field, [&] {
      for (uint32_t i = 0; i < rows.size(); ++i) {
        writer->Item(field, Expect::kTiny, [&] { children.Write(rows[i], writer); });
      }
    });
  }

  EncodeStats* stats_;
  AttributeTable attributes_;
  SpanEventWalk events_;
  SpanLinkWalk links_;
  NumberColumn<uint16_t> id_;
  NumberColumn<int64_t> start_time_;
  NumberColumn<int64_t> duration_;
  FixedBytesColumn trace_id_;
  FixedBytesColumn span_id_;
  BytesColumn trace_state_;
  FixedBytesColumn parent_span_id_;
  BytesColumn name_;
  NumberColumn<int32_t> kind_;
  NumberColumn<uint32_t> dropped_attributes_count_;
  NumberColumn<uint32_t> dropped_events_count_;
  NumberColumn<uint32_t> dropped_links_count_;
  StructRows status_;
  NumberColumn<int32_t> status_code_;
  BytesColumn status_message_;
  NumberColumn<uint32_t> flags_;
};

}  // namespace df::otlp
