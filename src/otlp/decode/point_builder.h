// Data points of the four kinds, with their exemplars, out of protobuf.
#pragma once

#include <cstdint>
#include <string_view>

#include "otap/batch.h"
#include "otlp/decode/attribute_builder.h"

namespace df::otlp {

/// One of the three exemplar tables and its attributes; every exemplar has an id.
class ExemplarBuilder {
 public:
  ExemplarBuilder(otap::TableKind kind, otap::TableKind attributes)
      : kind_(kind), attributes_(attributes) {}

  bool Append(uint32_t point, std::string_view exemplar, ValueReader* reader);
  int64_t invalid_ids() const { return invalid_ids_; }
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  otap::TableKind kind_;
  int64_t num_rows_ = 0;
  int64_t invalid_ids_ = 0;
  NumberBuilder<uint32_t> parents_;
  NumberBuilder<int64_t> times_;
  OptionalBuilder<int64_t> integers_;
  OptionalBuilder<double> reals_;
  IdBuilder<8> span_ids_;
  IdBuilder<16> trace_ids_;
  AttributeBuilder attributes_;
};

/// What all four tables of data points have; every point has an id.
struct PointRows {
  otap::TableKind kind;
  int64_t num_rows = 0;
  NumberBuilder<uint16_t> parents;
  NumberBuilder<int64_t> start_times;
  NumberBuilder<int64_t> times;
  NumberBuilder<uint32_t> flags;
  AttributeBuilder attributes;

  PointRows(otap::TableKind point_kind, otap::TableKind attribute_kind)
      : kind(point_kind), attributes(attribute_kind) {}

  /// Reads start, time, attributes or flags of the last row, or skips a field that is none of them.
  bool ReadField(uint32_t tag, Field attributes_field, Field flags_field, ProtoReader* in,
                 ValueReader* reader);
  /// Appends a row.
  int64_t AddRow(uint16_t metric) {
    parents.Set(num_rows, metric);
    return num_rows++;
  }

  /// Adds the columns in front of the values.
  void AddColumns(TableFrame* frame);
  void AddFlags(TableFrame* frame);
  arrow::Status Finish(TableFrame* frame, otap::BatchBuilder* batch);
  void Clear();
};

class NumberPointBuilder {
 public:
  /// Appends a NumberDataPoint of a metric. Returns false when it is malformed.
  bool Append(uint16_t metric, std::string_view point, ValueReader* reader);
  int64_t invalid_ids() const { return exemplars_.invalid_ids(); }
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  PointRows points_{otap::TableKind::kNumberDataPoints, otap::TableKind::kNumberDpAttrs};
  ExemplarBuilder exemplars_{otap::TableKind::kNumberDpExemplars,
                             otap::TableKind::kNumberDpExemplarAttrs};
  OptionalBuilder<int64_t> integers_;
  OptionalBuilder<double> reals_;
};

class SummaryPointBuilder {
 public:
  bool Append(uint16_t metric, std::string_view point, ValueReader* reader);
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  bool ReadQuantile(std::string_view message, ValueReader* reader);
  arrow::Result<ArrayDataPtr> FinishQuantiles();

  PointRows points_{otap::TableKind::kSummaryDataPoints, otap::TableKind::kSummaryDpAttrs};
  NumberBuilder<uint64_t> counts_;
  NumberBuilder<double> sums_;
  int64_t num_quantiles_ = 0;
  ListEnds quantile_ends_;
  NumberBuilder<double> quantiles_;
  NumberBuilder<double> values_;
};

class HistogramPointBuilder {
 public:
  bool Append(uint16_t metric, std::string_view point, ValueReader* reader);
  int64_t invalid_ids() const { return exemplars_.invalid_ids(); }
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  PointRows points_{otap::TableKind::kHistogramDataPoints, otap::TableKind::kHistogramDpAttrs};
  ExemplarBuilder exemplars_{otap::TableKind::kHistogramDpExemplars,
                             otap::TableKind::kHistogramDpExemplarAttrs};
  NumberBuilder<uint64_t> counts_;
  OptionalBuilder<double> sums_;
  ListBuilder<uint64_t> bucket_counts_;
  ListBuilder<double> explicit_bounds_;
  OptionalBuilder<double> minima_;
  OptionalBuilder<double> maxima_;
};

/// `positive` or `negative` of exponential histograms: null where the message is absent.
class BucketsBuilder {
 public:
  /// Reads a part of the Buckets message of a row that is not closed yet.
  bool Append(std::string_view message, ValueReader* reader);
  void CloseRow(int64_t row);
  arrow::Result<ArrayDataPtr> Finish(int64_t num_rows);
  void Clear();

 private:
  bool is_present_ = false;  ///< in the row that is not closed yet
  int32_t offset_ = 0;
  NumberBuilder<uint8_t> present_;
  NumberBuilder<int32_t> offsets_;
  ListBuilder<uint64_t> bucket_counts_;
};

class ExpHistogramPointBuilder {
 public:
  bool Append(uint16_t metric, std::string_view point, ValueReader* reader);
  int64_t invalid_ids() const { return exemplars_.invalid_ids(); }
  arrow::Status Finish(otap::BatchBuilder* batch);
  void Clear();

 private:
  bool ReadField(uint32_t tag, int64_t row, ProtoReader* in, ValueReader* reader);

  PointRows points_{otap::TableKind::kExpHistogramDataPoints,
                    otap::TableKind::kExpHistogramDpAttrs};
  ExemplarBuilder exemplars_{otap::TableKind::kExpHistogramDpExemplars,
                             otap::TableKind::kExpHistogramDpExemplarAttrs};
  NumberBuilder<uint64_t> counts_;
  OptionalBuilder<double> sums_;
  NumberBuilder<int32_t> scales_;
  NumberBuilder<uint64_t> zero_counts_;
  BucketsBuilder positive_;
  BucketsBuilder negative_;
  OptionalBuilder<double> minima_;
  OptionalBuilder<double> maxima_;
  NumberBuilder<double> zero_thresholds_;
};

}  // namespace df::otlp
