#include "otlp/decode/span_records.h"

namespace df::otlp {

bool EventBuilder::Append(uint16_t span, std::string_view event, ValueReader* reader) {
  const int64_t row = num_rows_++;
  uint64_t time = 0;
  uint32_t dropped_attributes_count = 0;
  std::string_view name;
  ProtoReader in(event);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case Fixed64Tag(event_fields::kTime):
        ok = in.ReadFixed64(&time);
        break;
      case BytesTag(event_fields::kName):
        ok = ReadText(&in, &name);
        break;
      case BytesTag(event_fields::kAttributes):
        ok = in.ReadBytes(&bytes) && attributes_.Append(static_cast<uint32_t>(row), bytes, reader);
        break;
      case VarintTag(event_fields::kDroppedAttributesCount):
        ok = in.ReadUInt32(&dropped_attributes_count);
        break;
      default:
        ok = reader->SkipUnknown(kEventShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  parents_.Set(row, span);
  times_.Set(row, static_cast<int64_t>(time));
  dropped_attributes_counts_.SetUnlessZero(row, dropped_attributes_count);
  return names_.Set(row, name);
}

arrow::Status EventBuilder::Finish(otap::BatchBuilder* batch) {
  TableFrame frame(num_rows_);
  frame.Add("id", CountRows<uint32_t>(arrow::uint32(), num_rows_));
  frame.Add("parent_id", parents_.Finish(arrow::uint16(), num_rows_));
  frame.Add("time_unix_nano", times_.Finish(arrow::timestamp(arrow::TimeUnit::NANO), num_rows_));
  frame.Add("name", names_.Finish(num_rows_));
  frame.Add("dropped_attributes_count",
            dropped_attributes_counts_.FinishIfSet(arrow::uint32(), num_rows_));
  ARROW_ASSIGN_OR_RAISE(auto table, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(otap::TableKind::kSpanEvents, std::move(table)));
  ARROW_ASSIGN_OR_RAISE(auto attributes, attributes_.Finish());
  return batch->Set(attributes_.kind(), std::move(attributes));
}

void EventBuilder::Clear() {
  num_rows_ = 0;
  parents_.Clear();
  times_.Clear();
  names_.Clear();
  dropped_attributes_counts_.Clear();
  attributes_.Clear();
}

bool LinkBuilder::Append(uint16_t span, std::string_view link, ValueReader* reader) {
  const int64_t row = num_rows_++;
  uint32_t dropped_attributes_count = 0;
  uint32_t flags = 0;
  std::string_view trace_id;
  std::string_view span_id;
  std::string_view trace_state;
  ProtoReader in(link);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case BytesTag(link_fields::kTraceId):
        ok = in.ReadBytes(&trace_id);
        break;
      case BytesTag(link_fields::kSpanId):
        ok = in.ReadBytes(&span_id);
        break;
      case BytesTag(link_fields::kTraceState):
        ok = ReadText(&in, &trace_state);
        break;
      case BytesTag(link_fields::kAttributes):
        ok = in.ReadBytes(&bytes) && attributes_.Append(static_cast<uint32_t>(row), bytes, reader);
        break;
      case VarintTag(link_fields::kDroppedAttributesCount):
        ok = in.ReadUInt32(&dropped_attributes_count);
        break;
      case Fixed32Tag(link_fields::kFlags):
        ok = in.ReadFixed32(&flags);
        break;
      default:
        ok = reader->SkipUnknown(kLinkShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  parents_.Set(row, span);
  invalid_ids_ += trace_ids_.Set(row, trace_id) ? 0 : 1;
  invalid_ids_ += span_ids_.Set(row, span_id) ? 0 : 1;
  dropped_attributes_counts_.SetUnlessZero(row, dropped_attributes_count);
  flags_.SetUnlessZero(row, flags);
  return trace_states_.SetUnlessEmpty(row, trace_state);
}

arrow::Status LinkBuilder::Finish(otap::BatchBuilder* batch) {
  TableFrame frame(num_rows_);
  frame.Add("id", CountRows<uint32_t>(arrow::uint32(), num_rows_));
  frame.Add("parent_id", parents_.Finish(arrow::uint16(), num_rows_));
  frame.Add("trace_id", trace_ids_.FinishRequired(num_rows_));
  frame.Add("span_id", span_ids_.FinishRequired(num_rows_));
  frame.Add("trace_state", trace_states_.Finish(num_rows_));
  frame.Add("dropped_attributes_count",
            dropped_attributes_counts_.FinishIfSet(arrow::uint32(), num_rows_));
  frame.Add("flags", flags_.FinishNonZero(arrow::uint32(), num_rows_));
  ARROW_ASSIGN_OR_RAISE(auto table, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(otap::TableKind::kSpanLinks, std::move(table)));
  ARROW_ASSIGN_OR_RAISE(auto attributes, attributes_.Finish());
  return batch->Set(attributes_.kind(), std::move(attributes));
}

void LinkBuilder::Clear() {
  num_rows_ = 0;
  invalid_ids_ = 0;
  parents_.Clear();
  trace_ids_.Clear();
  span_ids_.Clear();
  trace_states_.Clear();
  dropped_attributes_counts_.Clear();
  flags_.Clear();
  attributes_.Clear();
}

}  // namespace df::otlp
