#include "otlp/decode/metric_records.h"

#include "otlp/metric_walk.h"

namespace df::otlp {
namespace {

/// The kind of data that a field of Metric holds; kNone for other fields.
MetricType DataTypeOf(uint32_t tag) {
  switch (tag) {
    case BytesTag(metric_fields::kGauge):
      return MetricType::kGauge;
    case BytesTag(metric_fields::kSum):
      return MetricType::kSum;
    case BytesTag(metric_fields::kHistogram):
      return MetricType::kHistogram;
    case BytesTag(metric_fields::kExpHistogram):
      return MetricType::kExpHistogram;
    case BytesTag(metric_fields::kSummary):
      return MetricType::kSummary;
    default:
      return MetricType::kNone;
  }
}

}  // namespace

/// The fields of a metric that a later one of the same number replaces.
struct MetricRecords::MetricFields {
  std::string_view name;
  std::string_view description;
  std::string_view unit;
  MetricType type = MetricType::kNone;
  uint32_t data_tag = 0;
  const MessageShape* shape = nullptr;  ///< of the data
  MessageParts data;                    ///< of the last kind
};

/// Another kind of data than before: what it replaces has to be well-formed all the same.
bool MetricRecords::ReplaceData(uint32_t tag, ValueReader* reader, MetricFields* metric) {
  const bool ok = metric->data_tag == 0 || metric->data.VisitAll([&](std::string_view part) {
    return reader->IsFaultless(*metric->shape, part, 4);
  });
  metric->type = DataTypeOf(tag);
  metric->data_tag = tag;
  metric->shape = kMetricShape.Find(tag >> 3U)->message;
  metric->data.Clear();
  return ok;
}

bool MetricRecords::ReadHead(std::string_view record, ValueReader* reader, MetricFields* metric) {
  ProtoReader in(record);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    std::string_view bytes;
    if (DataTypeOf(tag) != MetricType::kNone) {
      ok = in.ReadBytes(&bytes) && (tag == metric->data_tag || ReplaceData(tag, reader, metric));
      metric->data.Add(bytes);
    } else if (tag == BytesTag(metric_fields::kName)) {
      ok = ReadText(&in, &metric->name);
    } else if (tag == BytesTag(metric_fields::kDescription)) {
      ok = ReadText(&in, &metric->description);
    } else if (tag == BytesTag(metric_fields::kUnit)) {
      ok = ReadText(&in, &metric->unit);
    } else if (tag == BytesTag(metric_fields::kMetadata)) {
      ok =
          in.ReadBytes(&bytes) && metadata_.Append(static_cast<uint32_t>(num_rows_), bytes, reader);
    } else {
      ok = reader->SkipUnknown(kMetricShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool MetricRecords::ReadDataField(const MetricFields& metric, uint32_t tag, ProtoReader* in,
                                  ValueReader* reader) {
  const auto id = static_cast<uint16_t>(num_rows_);
  std::string_view bytes;
  switch (tag) {
    case BytesTag(metric_fields::kDataPoints):
      if (!in->ReadBytes(&bytes)) {
        return false;
      }
      switch (metric.type) {
        case MetricType::kGauge:
        case MetricType::kSum:
          return numbers_.Append(id, bytes, reader);
        case MetricType::kHistogram:
          return histograms_.Append(id, bytes, reader);
        case MetricType::kExpHistogram:
          return exp_histograms_.Append(id, bytes, reader);
        case MetricType::kSummary:
          return summaries_.Append(id, bytes, reader);
        case MetricType::kNone:
          return false;
      }
      return false;
    case VarintTag(metric_fields::kTemporality): {
      if (metric.type == MetricType::kGauge || metric.type == MetricType::kSummary) {
        break;
      }
      int32_t temporality = 0;
      const bool ok = in->ReadInt32(&temporality);
      temporalities_.Set(num_rows_, temporality);
      return ok;
    }
    case VarintTag(metric_fields::kIsMonotonic): {
      if (metric.type != MetricType::kSum) {
        break;
      }
      bool is_monotonic = false;
      const bool ok = in->ReadBool(&is_monotonic);
      is_monotonic_.Set(num_rows_, is_monotonic);
      return ok;
    }
    default:
      break;
  }
  return reader->SkipUnknown(*metric.shape, tag, in);
}

bool MetricRecords::ReadData(const MetricFields& metric, std::string_view data,
                             ValueReader* reader) {
  ProtoReader in(data);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag) || !ReadDataField(metric, tag, &in, reader)) {
      return false;
    }
  }
  return true;
}

bool MetricRecords::Append(std::string_view record, ValueReader* reader) {
  MetricFields metric;
  if (!ReadHead(record, reader, &metric) || !metric.data.VisitAll([&](std::string_view data) {
        return ReadData(metric, data, reader);
      })) {
    return false;
  }
  const int64_t row = num_rows_++;
  types_.Set(row, static_cast<uint8_t>(metric.type));
  return names_.Set(row, metric.name) && descriptions_.SetUnlessEmpty(row, metric.description) &&
         units_.SetUnlessEmpty(row, metric.unit);
}

arrow::Status MetricRecords::Finish(GroupBuilder* groups, otap::BatchBuilder* batch) {
  TableFrame frame(num_rows_);
  frame.Add("id", CountRows<uint16_t>(arrow::uint16(), num_rows_));
  groups->AddColumns(&frame);
  frame.Add("metric_type", types_.Finish(arrow::uint8(), num_rows_));
  frame.Add("name", names_.Finish(num_rows_));
  frame.Add("description", descriptions_.Finish(num_rows_));
  frame.Add("unit", units_.Finish(num_rows_));
  frame.Add("aggregation_temporality", temporalities_.FinishNonZero(arrow::int32(), num_rows_));
  if (!is_monotonic_.empty()) {
    // Null for what is no sum (format reference 6.4).
    ARROW_ASSIGN_OR_RAISE(Validity sums, MakeValidity(num_rows_, [&](int64_t row) {
                            return types_.At(row) == static_cast<uint8_t>(MetricType::kSum);
                          }));
    frame.Add("is_monotonic", is_monotonic_.FinishIfSet(num_rows_, std::move(sums)));
  }
  ARROW_ASSIGN_OR_RAISE(auto root, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(otap::TableKind::kUnivariateMetrics, std::move(root)));
  ARROW_ASSIGN_OR_RAISE(auto metadata, metadata_.Finish());
  ARROW_RETURN_NOT_OK(batch->Set(metadata_.kind(), std::move(metadata)));
  ARROW_RETURN_NOT_OK(numbers_.Finish(batch));
  ARROW_RETURN_NOT_OK(summaries_.Finish(batch));
  ARROW_RETURN_NOT_OK(histograms_.Finish(batch));
  return exp_histograms_.Finish(batch);
}

void MetricRecords::Clear() {
  num_rows_ = 0;
  types_.Clear();
  names_.Clear();
  descriptions_.Clear();
  units_.Clear();
  temporalities_.Clear();
  is_monotonic_.Clear();
  metadata_.Clear();
  numbers_.Clear();
  summaries_.Clear();
  histograms_.Clear();
  exp_histograms_.Clear();
}

}  // namespace df::otlp
