#include "otlp/decode/log_records.h"

namespace df::otlp {
namespace {

/// The fields of a record that a later one of the same number replaces.
struct LogFields {
  uint64_t time = 0;
  uint64_t observed_time = 0;
  int32_t severity_number = 0;
  uint32_t dropped_attributes_count = 0;
  uint32_t flags = 0;
  bool has_body = false;
  std::string_view severity_text;
  std::string_view event_name;
  MessageParts body;
  std::string_view trace_id;
  std::string_view span_id;
};

}  // namespace

bool LogRecords::Append(std::string_view record, ValueReader* reader) {
  LogFields log;
  const int64_t attributes_before = attributes_.num_rows();
  ProtoReader in(record);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case Fixed64Tag(log_fields::kTime):
        ok = in.ReadFixed64(&log.time);
        break;
      case Fixed64Tag(log_fields::kObservedTime):
        ok = in.ReadFixed64(&log.observed_time);
        break;
      case VarintTag(log_fields::kSeverityNumber):
        ok = in.ReadInt32(&log.severity_number);
        break;
      case BytesTag(log_fields::kSeverityText):
        ok = ReadText(&in, &log.severity_text);
        break;
      case BytesTag(log_fields::kBody):
        log.has_body = true;
        ok = in.ReadBytes(&bytes);
        log.body.Add(bytes);
        break;
      case BytesTag(log_fields::kAttributes):
        ok = in.ReadBytes(&bytes) && attributes_.Append(num_ids_, bytes, reader);
        break;
      case VarintTag(log_fields::kDroppedAttributesCount):
        ok = in.ReadUInt32(&log.dropped_attributes_count);
        break;
      case Fixed32Tag(log_fields::kFlags):
        ok = in.ReadFixed32(&log.flags);
        break;
      case BytesTag(log_fields::kTraceId):
        ok = in.ReadBytes(&log.trace_id);
        break;
      case BytesTag(log_fields::kSpanId):
        ok = in.ReadBytes(&log.span_id);
        break;
      case BytesTag(log_fields::kEventName):
        ok = ReadText(&in, &log.event_name);
        break;
      default:
        ok = reader->SkipUnknown(kLogRecordShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  const int64_t row = num_rows_++;
  if (attributes_.num_rows() != attributes_before) {
    ids_.Set(row, static_cast<uint16_t>(num_ids_++));
  }
  if (log.has_body) {
    ParsedValue body;
    if (!reader->Read(log.body, kBodyLevel, &body) || !bodies_.Set(row, body)) {
      return false;
    }
    has_body_.Set(row, 1);
  }
  times_.Set(row, static_cast<int64_t>(log.time));
  observed_times_.Set(row, static_cast<int64_t>(log.observed_time));
  severity_numbers_.SetUnlessZero(row, log.severity_number);
  dropped_attributes_counts_.SetUnlessZero(row, log.dropped_attributes_count);
  flags_.SetUnlessZero(row, log.flags);
  invalid_ids_ += trace_ids_.Set(row, log.trace_id) ? 0 : 1;
  invalid_ids_ += span_ids_.Set(row, log.span_id) ? 0 : 1;
  return severity_texts_.SetUnlessEmpty(row, log.severity_text) &&
         event_names_.SetUnlessEmpty(row, log.event_name);
}

arrow::Result<ArrayDataPtr> LogRecords::FinishBody() {
  if (has_body_.empty()) {
    return nullptr;
  }
  TableFrame frame(num_rows_);
  bodies_.AddColumns(&frame);
  ARROW_ASSIGN_OR_RAISE(Validity validity, MakeValidity(num_rows_, [&](int64_t row) {
                          return has_body_.At(row) != 0;
                        }));
  return frame.BuildStruct(std::move(validity));
}

arrow::Status LogRecords::Finish(GroupBuilder* groups, otap::BatchBuilder* batch) {
  TableFrame frame(num_rows_);
  const auto time = arrow::timestamp(arrow::TimeUnit::NANO);
  frame.Add("id", ids_.Finish(arrow::uint16(), num_rows_));
  groups->AddColumns(&frame);
  frame.Add("time_unix_nano", times_.Finish(time, num_rows_));
  frame.Add("observed_time_unix_nano", observed_times_.Finish(time, num_rows_));
  frame.Add("trace_id", trace_ids_.FinishOptional(num_rows_));
  frame.Add("span_id", span_ids_.FinishOptional(num_rows_));
  frame.Add("severity_number", severity_numbers_.FinishNonZero(arrow::int32(), num_rows_));
  frame.Add("severity_text", severity_texts_.Finish(num_rows_));
  frame.Add("body", FinishBody());
  frame.Add("dropped_attributes_count",
            dropped_attributes_counts_.FinishIfSet(arrow::uint32(), num_rows_));
  frame.Add("event_name", event_names_.Finish(num_rows_));
  frame.Add("flags", flags_.FinishNonZero(arrow::uint32(), num_rows_));
  ARROW_ASSIGN_OR_RAISE(auto root, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(otap::TableKind::kLogs, std::move(root)));
  ARROW_ASSIGN_OR_RAISE(auto attributes, attributes_.Finish());
  return batch->Set(attributes_.kind(), std::move(attributes));
}

void LogRecords::Clear() {
  num_rows_ = 0;
  invalid_ids_ = 0;
  num_ids_ = 0;
  ids_.Clear();
  times_.Clear();
  observed_times_.Clear();
  trace_ids_.Clear();
  span_ids_.Clear();
  severity_numbers_.Clear();
  severity_texts_.Clear();
  has_body_.Clear();
  bodies_.Clear();
  dropped_attributes_counts_.Clear();
  event_names_.Clear();
  flags_.Clear();
  attributes_.Clear();
}

}  // namespace df::otlp
