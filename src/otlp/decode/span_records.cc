#include "otlp/decode/span_records.h"

namespace df::otlp {

/// The fields of a span that a later one of the same number replaces.
struct SpanRecords::SpanFields {
  uint64_t start_time = 0;
  uint64_t end_time = 0;
  int32_t kind = 0;
  uint32_t dropped_attributes_count = 0;
  uint32_t dropped_events_count = 0;
  uint32_t dropped_links_count = 0;
  uint32_t flags = 0;
  bool has_status = false;
  int32_t status_code = 0;
  std::string_view status_message;
  std::string_view trace_id;
  std::string_view span_id;
  std::string_view trace_state;
  std::string_view parent_span_id;
  std::string_view name;
};

bool SpanRecords::ReadStatus(std::string_view message, ValueReader* reader, SpanFields* span) {
  span->has_status = true;
  ProtoReader in(message);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    switch (tag) {
      case BytesTag(span_fields::kStatusMessage):
        ok = ReadText(&in, &span->status_message);
        break;
      case VarintTag(span_fields::kStatusCode):
        ok = in.ReadInt32(&span->status_code);
        break;
      default:
        ok = reader->SkipUnknown(kStatusShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool SpanRecords::Read(std::string_view record, ValueReader* reader, SpanFields* span) {
  const auto id = static_cast<uint16_t>(num_rows_);
  ProtoReader in(record);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case BytesTag(span_fields::kTraceId):
        ok = in.ReadBytes(&span->trace_id);
        break;
      case BytesTag(span_fields::kSpanId):
        ok = in.ReadBytes(&span->span_id);
        break;
      case BytesTag(span_fields::kTraceState):
        ok = ReadText(&in, &span->trace_state);
        break;
      case BytesTag(span_fields::kParentSpanId):
        ok = in.ReadBytes(&span->parent_span_id);
        break;
      case BytesTag(span_fields::kName):
        ok = ReadText(&in, &span->name);
        break;
      case VarintTag(span_fields::kKind):
        ok = in.ReadInt32(&span->kind);
        break;
      case Fixed64Tag(span_fields::kStartTime):
        ok = in.ReadFixed64(&span->start_time);
        break;
      case Fixed64Tag(span_fields::kEndTime):
        ok = in.ReadFixed64(&span->end_time);
        break;
      case BytesTag(span_fields::kAttributes):
        ok = in.ReadBytes(&bytes) && attributes_.Append(id, bytes, reader);
        break;
      case VarintTag(span_fields::kDroppedAttributesCount):
        ok = in.ReadUInt32(&span->dropped_attributes_count);
        break;
      case BytesTag(span_fields::kEvents):
        ok = in.ReadBytes(&bytes) && events_.Append(id, bytes, reader);
        break;
      case VarintTag(span_fields::kDroppedEventsCount):
        ok = in.ReadUInt32(&span->dropped_events_count);
        break;
      case BytesTag(span_fields::kLinks):
        ok = in.ReadBytes(&bytes) && links_.Append(id, bytes, reader);
        break;
      case VarintTag(span_fields::kDroppedLinksCount):
        ok = in.ReadUInt32(&span->dropped_links_count);
        break;
      case BytesTag(span_fields::kStatus):
        ok = in.ReadBytes(&bytes) && ReadStatus(bytes, reader, span);
        break;
      case Fixed32Tag(span_fields::kFlags):
        ok = in.ReadFixed32(&span->flags);
        break;
      default:
        ok = reader->SkipUnknown(kSpanShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool SpanRecords::Append(std::string_view record, ValueReader* reader) {
  SpanFields span;
  if (!Read(record, reader, &span)) {
    return false;
  }
  const int64_t row = num_rows_++;
  start_times_.Set(row, static_cast<int64_t>(span.start_time));
  // Modular, as the encoder adds it: ends before their starts are real.
  durations_.Set(row, static_cast<int64_t>(span.end_time - span.start_time));
  invalid_ids_ += trace_ids_.Set(row, span.trace_id) ? 0 : 1;
  invalid_ids_ += span_ids_.Set(row, span.span_id) ? 0 : 1;
  invalid_ids_ += parent_span_ids_.Set(row, span.parent_span_id) ? 0 : 1;
  kinds_.SetUnlessZero(row, span.kind);
  dropped_attributes_counts_.SetUnlessZero(row, span.dropped_attributes_count);
  dropped_events_counts_.SetUnlessZero(row, span.dropped_events_count);
  dropped_links_counts_.SetUnlessZero(row, span.dropped_links_count);
  flags_.SetUnlessZero(row, span.flags);
  if (span.has_status) {
    has_status_.Set(row, 1);
    // Set even to 0, which is null: a struct of empty statuses needs a child all the same.
    status_codes_.Set(row, span.status_code);
  }
  return status_messages_.SetUnlessEmpty(row, span.status_message) &&
         trace_states_.SetUnlessEmpty(row, span.trace_state) && names_.Set(row, span.name);
}

arrow::Result<ArrayDataPtr> SpanRecords::FinishStatus() {
  if (has_status_.empty()) {
    return nullptr;
  }
  TableFrame frame(num_rows_);
  frame.Add("code", status_codes_.FinishNonZero(arrow::int32(), num_rows_));
  frame.Add("status_message", status_messages_.Finish(num_rows_));
  ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows_, [&](int64_t row) {
                          return has_status_.At(row) != 0;
                        }));
  return frame.BuildStruct(std::move(validity));
}

arrow::Status SpanRecords::Finish(GroupBuilder* groups, otap::BatchBuilder* batch) {
  TableFrame frame(num_rows_);
  const auto dropped = arrow::uint32();
  frame.Add("id", CountRows<uint16_t>(arrow::uint16(), num_rows_));
  groups->AddColumns(&frame);
  frame.Add("start_time_unix_nano",
            start_times_.Finish(arrow::timestamp(arrow::TimeUnit::NANO), num_rows_));
  frame.Add("duration_time_unix_nano",
            durations_.Finish(arrow::duration(arrow::TimeUnit::NANO), num_rows_));
  frame.Add("trace_id", trace_ids_.FinishRequired(num_rows_));
  frame.Add("span_id", span_ids_.FinishRequired(num_rows_));
  frame.Add("trace_state", trace_states_.Finish(num_rows_));
  frame.Add("parent_span_id", parent_span_ids_.FinishOptional(num_rows_));
  frame.Add("name", names_.Finish(num_rows_));
  frame.Add("kind", kinds_.FinishNonZero(arrow::int32(), num_rows_));
  frame.Add("dropped_attributes_count", dropped_attributes_counts_.FinishIfSet(dropped, num_rows_));
  frame.Add("dropped_events_count", dropped_events_counts_.FinishIfSet(dropped, num_rows_));
  frame.Add("dropped_links_count", dropped_links_counts_.FinishIfSet(dropped, num_rows_));
  frame.Add("status", FinishStatus());
  frame.Add("flags", flags_.FinishNonZero(arrow::uint32(), num_rows_));
  ARROW_ASSIGN_OR_RAISE(auto root, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(otap::TableKind::kSpans, std::move(root)));
  ARROW_ASSIGN_OR_RAISE(auto attributes, attributes_.Finish());
  ARROW_RETURN_NOT_OK(batch->Set(attributes_.kind(), std::move(attributes)));
  ARROW_RETURN_NOT_OK(events_.Finish(batch));
  return links_.Finish(batch);
}

void SpanRecords::Clear() {
  num_rows_ = 0;
  invalid_ids_ = 0;
  start_times_.Clear();
  durations_.Clear();
  trace_ids_.Clear();
  span_ids_.Clear();
  trace_states_.Clear();
  parent_span_ids_.Clear();
  names_.Clear();
  kinds_.Clear();
  dropped_attributes_counts_.Clear();
  dropped_events_counts_.Clear();
  dropped_links_counts_.Clear();
  has_status_.Clear();
  status_codes_.Clear();
  status_messages_.Clear();
  flags_.Clear();
  attributes_.Clear();
  events_.Clear();
  links_.Clear();
}

}  // namespace df::otlp
