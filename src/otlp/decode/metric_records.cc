#include "otlp/decode/metric_records.h"

#include "otlp/metric_data.h"

namespace df::otlp {

/// The data of a metric: a later kind replaces an earlier one, parts of one kind are merged.
struct MetricRecords::Data {
  MetricType type = MetricType::kNone;
  MessageParts parts;

  /// What is replaced has to be well-formed all the same.
  bool Add(MetricType part_type, std::string_view part, const ValueReader& reader) {
    bool ok = true;
    if (part_type != type) {
      ok = type == MetricType::kNone || parts.VisitAll([&](std::string_view replaced) {
        return reader.IsFaultless(*DataField(type).message, replaced, 4);
      });
      type = part_type;
      parts.Clear();
    }
    parts.Add(part);
    return ok;
  }
};

template <MetricType kType, typename Points>
bool MetricRecords::ReadPart(std::string_view part, Points* points, ValueReader* reader) {
  constexpr const MessageShape& kShape = *DataField(kType).message;
  constexpr std::string_view kTemporality = "aggregation_temporality";
  constexpr std::string_view kIsMonotonic = "is_monotonic";
  ProtoReader in(part);
  while (!in.at_end()) {
    uint32_t tag = 0;
    bool ok = in.ReadTag(&tag);
    if (ok && tag == BytesTag(kShape.At("data_points"))) {
      std::string_view point;
      ok = in.ReadBytes(&point) && points->Append(static_cast<uint32_t>(num_rows_), point, reader);
    } else if (ok && kShape.Has(kTemporality) && tag == VarintTag(kSumShape.At(kTemporality))) {
      int32_t temporality = 0;
      ok = in.ReadInt32(&temporality);
      temporalities_.Set(num_rows_, temporality);
    } else if (ok && kShape.Has(kIsMonotonic) && tag == VarintTag(kSumShape.At(kIsMonotonic))) {
      bool is_monotonic = false;
      ok = in.ReadBool(&is_monotonic);
      is_monotonic_.Set(num_rows_, is_monotonic);
    } else {
      ok = ok && reader->SkipUnknown(kShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool MetricRecords::ReadData(const Data& data, ValueReader* reader) {
  return data.parts.VisitAll([&](std::string_view part) {
    switch (data.type) {
      case MetricType::kNone:
        return true;
      case MetricType::kGauge:
        return ReadPart<MetricType::kGauge>(part, &numbers_, reader);
      case MetricType::kSum:
        return ReadPart<MetricType::kSum>(part, &numbers_, reader);
      case MetricType::kHistogram:
        return ReadPart<MetricType::kHistogram>(part, &histograms_, reader);
      case MetricType::kExpHistogram:
        return ReadPart<MetricType::kExpHistogram>(part, &exp_histograms_, reader);
      case MetricType::kSummary:
        return ReadPart<MetricType::kSummary>(part, &summaries_, reader);
    }
    return false;
  });
}

bool MetricRecords::Append(uint32_t /*parent*/, std::string_view record, ValueReader* reader) {
  const RowIn at = {num_rows_, static_cast<uint32_t>(num_rows_), reader};
  Rows::Local metric;
  Data data;
  ProtoReader in(record);
  while (!in.at_end()) {
    uint32_t tag = 0;
    std::string_view part;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    const bool ok = IsMetricData(tag)
                        ? in.ReadBytes(&part) && data.Add(DataTypeOf(tag >> 3U), part, *reader)
                        : rows_.ReadField(tag, &in, at, &metric);
    if (!ok) {
      return false;
    }
  }
  if (!ReadData(data, reader)) {
    return false;
  }
  types_.Set(num_rows_++, static_cast<uint8_t>(data.type));
  return rows_.Store(at, metric);
}

arrow::Status MetricRecords::Finish(GroupBuilder* groups, otap::BatchBuilder* batch) {
  // Null for what is no sum (format reference 6.4).
  ARROW_ASSIGN_OR_RAISE(Validity sums, MakeValidity(num_rows_, [&](int64_t row) {
                          return types_.At(row) == static_cast<uint8_t>(MetricType::kSum);
                        }));
  TableFrame frame(num_rows_);
  rows_.AddColumns(&frame, [&](std::string_view name) {
    if (name == "id") {
      frame.Add(name, CountRows<uint16_t>(arrow::uint16(), num_rows_));
    } else if (name == "resource") {
      groups->AddColumns(&frame);  // with the two behind it
    } else if (name == "metric_type") {
      frame.Add(name, types_.Finish(arrow::uint8(), num_rows_));
    } else if (name == "aggregation_temporality") {
      frame.Add(name, temporalities_.FinishNonZero(arrow::int32(), num_rows_));
    } else if (name == "is_monotonic") {
      frame.Add(name, is_monotonic_.FinishIfSet(num_rows_, std::move(sums)));
    }
  });
  ARROW_ASSIGN_OR_RAISE(auto root, frame.Build());
  ARROW_RETURN_NOT_OK(batch->Set(Columns::kTable, std::move(root)));
  ARROW_RETURN_NOT_OK(rows_.FinishTables(batch));
  ARROW_RETURN_NOT_OK(numbers_.Finish(nullptr, batch));
  ARROW_RETURN_NOT_OK(summaries_.Finish(nullptr, batch));
  ARROW_RETURN_NOT_OK(histograms_.Finish(nullptr, batch));
  return exp_histograms_.Finish(nullptr, batch);
}

void MetricRecords::Clear() {
  num_rows_ = 0;
  types_.Clear();
  temporalities_.Clear();
  is_monotonic_.Clear();
  rows_.Clear();
  numbers_.Clear();
  summaries_.Clear();
  histograms_.Clear();
  exp_histograms_.Clear();
}

}  // namespace df::otlp
