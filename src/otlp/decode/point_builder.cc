#include "otlp/decode/point_builder.h"

namespace df::otlp {
namespace {

enum class NumberKind : uint8_t { kNone, kInteger, kReal };

/// A oneof of two numbers: the last one counts.
struct NumberValue {
  NumberKind kind = NumberKind::kNone;
  int64_t integer = 0;
  double real = 0;

  bool ReadInteger(ProtoReader* in) {
    kind = NumberKind::kInteger;
    return in->ReadSFixed64(&integer);
  }
  bool ReadReal(ProtoReader* in) {
    kind = NumberKind::kReal;
    return in->ReadDouble(&real);
  }
  void Store(int64_t row, OptionalBuilder<int64_t>* integers,
             OptionalBuilder<double>* reals) const {
    if (kind == NumberKind::kInteger) {
      integers->Set(row, integer);
    } else if (kind == NumberKind::kReal) {
      reals->Set(row, real);
    }
  }
};

/// The message that the rows of a table of points come from.
const MessageShape& ShapeOf(otap::TableKind kind) {
  switch (kind) {
    case otap::TableKind::kSummaryDataPoints:
      return kSummaryPointShape;
    case otap::TableKind::kHistogramDataPoints:
      return kHistogramPointShape;
    case otap::TableKind::kExpHistogramDataPoints:
      return kExpHistogramPointShape;
    default:
      return kNumberPointShape;
  }
}

std::shared_ptr<arrow::DataType> TimeType() { return arrow::timestamp(arrow::TimeUnit::NANO); }

}  // namespace

bool ExemplarBuilder::Append(uint32_t point, std::string_view exemplar, ValueReader* reader) {
  const int64_t row = num_rows_++;
  uint64_t time = 0;
  NumberValue number;
  std::string_view span_id;
  std::string_view trace_id;
  ProtoReader in(exemplar);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case Fixed64Tag(exemplar_fields::kTime):
        ok = in.ReadFixed64(&time);
        break;
      case Fixed64Tag(exemplar_fields::kDouble):
        ok = number.ReadReal(&in);
        break;
      case Fixed64Tag(exemplar_fields::kInt):
        ok = number.ReadInteger(&in);
        break;
      case BytesTag(exemplar_fields::kSpanId):
        ok = in.ReadBytes(&span_id);
        break;
      case BytesTag(exemplar_fields::kTraceId):
        ok = in.ReadBytes(&trace_id);
        break;
      case BytesTag(exemplar_fields::kAttributes):
        ok = in.ReadBytes(&bytes) && attributes_.Append(static_cast<uint32_t>(row), bytes, reader);
        break;
      default:
        ok = reader->SkipUnknown(kExemplarShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  parents_.Set(row, point);
  times_.Set(row, static_cast<int64_t>(time));
  number.Store(row, &integers_, &reals_);
  invalid_ids_ += span_ids_.Set(row, span_id) ? 0 : 1;
  invalid_ids_ += trace_ids_.Set(row, trace_id) ? 0 : 1;
  return true;
}

arrow::Status ExemplarBuilder::Finish(otap::BatchBuilder* batch) {
  TableFrame frame(num_rows_);
  frame.Add("id", CountRows<uint32_t>(arrow::uint32(), num_rows_));
  frame.Add("parent_id", parents_.Finish(arrow::uint32(), num_rows_));
  frame.Add("time_unix_nano", times_.Finish(TimeType(), num_rows_));
  frame.Add("int_value", integers_.Finish(arrow::int64(), num_rows_));
  frame.Add("double_value", reals_.Finish(arrow::float64(), num_rows_));
  frame.Add("span_id", span_ids_.FinishOptional(num_rows_));
  frame.Add("trace_id", trace_ids_.FinishOptional(num_rows_));
  ARROW_ASSIGN_OR_RAISE(auto table, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(kind_, std::move(table)));
  ARROW_ASSIGN_OR_RAISE(auto attributes, attributes_.Finish());
  return batch->Set(attributes_.kind(), std::move(attributes));
}

void ExemplarBuilder::Clear() {
  num_rows_ = 0;
  invalid_ids_ = 0;
  parents_.Clear();
  times_.Clear();
  integers_.Clear();
  reals_.Clear();
  span_ids_.Clear();
  trace_ids_.Clear();
  attributes_.Clear();
}

bool PointRows::ReadField(uint32_t tag, Field attributes_field, Field flags_field, ProtoReader* in,
                          ValueReader* reader) {
  const int64_t row = num_rows - 1;
  if (tag == Fixed64Tag(point_fields::kStartTime) || tag == Fixed64Tag(point_fields::kTime)) {
    uint64_t time = 0;
    const bool ok = in->ReadFixed64(&time);
    (tag == Fixed64Tag(point_fields::kTime) ? times : start_times)
        .Set(row, static_cast<int64_t>(time));
    return ok;
  }
  if (tag == BytesTag(attributes_field)) {
    std::string_view bytes;
    return in->ReadBytes(&bytes) && attributes.Append(static_cast<uint32_t>(row), bytes, reader);
  }
  if (tag == VarintTag(flags_field)) {
    uint32_t value = 0;
    const bool ok = in->ReadUInt32(&value);
    flags.Set(row, value);
    return ok;
  }
  return reader->SkipUnknown(ShapeOf(kind), tag, in);
}

void PointRows::AddColumns(TableFrame* frame) {
  frame->Add("id", CountRows<uint32_t>(arrow::uint32(), num_rows));
  frame->Add("parent_id", parents.Finish(arrow::uint16(), num_rows));
  frame->Add("start_time_unix_nano", start_times.Finish(TimeType(), num_rows));
  frame->Add("time_unix_nano", times.Finish(TimeType(), num_rows));
}

void PointRows::AddFlags(TableFrame* frame) {
  frame->Add("flags", flags.FinishIfSet(arrow::uint32(), num_rows));
}

arrow::Status PointRows::Finish(TableFrame* frame, otap::BatchBuilder* batch) {
  ARROW_ASSIGN_OR_RAISE(auto table, frame->Build());
  ARROW_RETURN_NOT_OK(batch->Set(kind, std::move(table)));
  ARROW_ASSIGN_OR_RAISE(auto rows, attributes.Finish());
  return batch->Set(attributes.kind(), std::move(rows));
}

void PointRows::Clear() {
  num_rows = 0;
  parents.Clear();
  start_times.Clear();
  times.Clear();
  flags.Clear();
  attributes.Clear();
}

bool NumberPointBuilder::Append(uint16_t metric, std::string_view point, ValueReader* reader) {
  const int64_t row = points_.AddRow(metric);
  NumberValue number;
  ProtoReader in(point);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case Fixed64Tag(number_fields::kDouble):
        ok = number.ReadReal(&in);
        break;
      case Fixed64Tag(number_fields::kInt):
        ok = number.ReadInteger(&in);
        break;
      case BytesTag(number_fields::kExemplars):
        ok = in.ReadBytes(&bytes) && exemplars_.Append(static_cast<uint32_t>(row), bytes, reader);
        break;
      default:
        ok = points_.ReadField(tag, number_fields::kAttributes, number_fields::kFlags, &in, reader);
    }
    if (!ok) {
      return false;
    }
  }
  number.Store(row, &integers_, &reals_);
  return true;
}

arrow::Status NumberPointBuilder::Finish(otap::BatchBuilder* batch) {
  TableFrame frame(points_.num_rows);
  points_.AddColumns(&frame);
  frame.Add("int_value", integers_.Finish(arrow::int64(), points_.num_rows));
  frame.Add("double_value", reals_.Finish(arrow::float64(), points_.num_rows));
  points_.AddFlags(&frame);
  ARROW_RETURN_NOT_OK(points_.Finish(&frame, batch));
  return exemplars_.Finish(batch);
}

void NumberPointBuilder::Clear() {
  points_.Clear();
  exemplars_.Clear();
  integers_.Clear();
  reals_.Clear();
}

bool SummaryPointBuilder::ReadQuantile(std::string_view message, ValueReader* reader) {
  double quantile = 0;
  double value = 0;
  ProtoReader in(message);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    const bool ok = tag == Fixed64Tag(summary_fields::kQuantile) ? in.ReadDouble(&quantile)
                    : tag == Fixed64Tag(summary_fields::kValue)
                        ? in.ReadDouble(&value)
                        : reader->SkipUnknown(kQuantileShape, tag, &in);
    if (!ok) {
      return false;
    }
  }
  quantiles_.Set(num_quantiles_, quantile);
  values_.Set(num_quantiles_, value);
  ++num_quantiles_;
  return true;
}

bool SummaryPointBuilder::Append(uint16_t metric, std::string_view point, ValueReader* reader) {
  const int64_t row = points_.AddRow(metric);
  ProtoReader in(point);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    switch (tag) {
      case Fixed64Tag(point_fields::kCount): {
        uint64_t count = 0;
        ok = in.ReadFixed64(&count);
        counts_.Set(row, count);
        break;
      }
      case Fixed64Tag(point_fields::kSum): {
        double sum = 0;
        ok = in.ReadDouble(&sum);
        sums_.Set(row, sum);
        break;
      }
      case BytesTag(summary_fields::kQuantiles):
        ok = in.ReadBytes(&bytes) && ReadQuantile(bytes, reader);
        break;
      default:
        ok = points_.ReadField(tag, summary_fields::kAttributes, summary_fields::kFlags, &in,
                               reader);
    }
    if (!ok) {
      return false;
    }
  }
  quantile_ends_.SetEnd(row, static_cast<size_t>(num_quantiles_));
  return true;
}

arrow::Result<ArrayDataPtr> SummaryPointBuilder::FinishQuantiles() {
  if (num_quantiles_ == 0) {
    return nullptr;
  }
  TableFrame items(num_quantiles_);
  items.Add("quantile", quantiles_.Finish(arrow::float64(), num_quantiles_));
  items.Add("value", values_.Finish(arrow::float64(), num_quantiles_));
  ARROW_ASSIGN_OR_RAISE(ArrayDataPtr structs, items.BuildStruct({}));
  return quantile_ends_.Finish(points_.num_rows, std::move(structs));
}

arrow::Status SummaryPointBuilder::Finish(otap::BatchBuilder* batch) {
  TableFrame frame(points_.num_rows);
  points_.AddColumns(&frame);
  frame.Add("count", counts_.FinishIfSet(arrow::uint64(), points_.num_rows));
  frame.Add("sum", sums_.FinishIfSet(arrow::float64(), points_.num_rows));
  frame.Add("quantile", FinishQuantiles());
  points_.AddFlags(&frame);
  return points_.Finish(&frame, batch);
}

void SummaryPointBuilder::Clear() {
  points_.Clear();
  counts_.Clear();
  sums_.Clear();
  num_quantiles_ = 0;
  quantile_ends_.Clear();
  quantiles_.Clear();
  values_.Clear();
}

}  // namespace df::otlp
