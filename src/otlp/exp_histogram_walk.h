// Data points of exponential histograms.
#pragma once

#include <string_view>

#include "otlp/point_walk.h"

namespace df::otlp {

/// `positive` or `negative` of a point.
class BucketsWalk {
 public:
  BucketsWalk(const ColumnSource& points, std::string_view name) {
    const ColumnSource source = points.Struct(name, &rows_);
    source.Bind("offset", &offset_);
    source.Bind("bucket_counts", &bucket_counts_);
  }

  /// Writes the buckets, even empty ones, unless the struct is null.
  template <typename Writer>
  void WriteAll(Field field, int64_t row, Writer* writer) const {
    if (!rows_.Has(row)) {
      return;
    }
    writer->Message(field, Expect::kTiny, [&] {
      if (const int32_t offset = offset_.ValueOr(row, 0); offset != 0) {
        writer->SInt32(exp_histogram_fields::kOffset, offset);
      }
      if (const auto counts = bucket_counts_.Value(row); !counts.empty()) {
        writer->PackedVarint64(exp_histogram_fields::kBucketCounts, counts);
      }
    });
  }

 private:
  StructRows rows_;
  NumberColumn<int32_t> offset_;
  ListColumn<uint64_t> bucket_counts_;
};

class ExpHistogramPointWalk {
 public:
  explicit ExpHistogramPointWalk(const WalkContext& context)
      : points_(context, otap::TableKind::kExpHistogramDataPoints,
                otap::TableKind::kExpHistogramDpAttrs),
        exemplars_(context, otap::TableKind::kExpHistogramDpExemplars,
                   otap::TableKind::kExpHistogramDpExemplarAttrs),
        positive_(points_.table.source, "positive"),
        negative_(points_.table.source, "negative") {
    const ColumnSource& source = points_.table.source;
    source.Bind("count", &count_);
    source.Bind("sum", &sum_);
    source.Bind("scale", &scale_);
    source.Bind("zero_count", &zero_count_);
    source.Bind("min", &min_);
    source.Bind("max", &max_);
    source.Bind("zero_threshold", &zero_threshold_);
  }

  const ChildIndex& index() const { return points_.table.rows; }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    points_.Write(exp_histogram_fields::kAttributes, exp_histogram_fields::kFlags, row, writer);
    WriteCount(point_fields::kCount, count_, row, writer);
    WriteOptional(point_fields::kSum, sum_, row, writer);
    if (const int32_t scale = scale_.ValueOr(row, 0); scale != 0) {
      writer->SInt32(exp_histogram_fields::kScale, scale);
    }
    WriteCount(exp_histogram_fields::kZeroCount, zero_count_, row, writer);
    positive_.WriteAll(exp_histogram_fields::kPositive, row, writer);
    negative_.WriteAll(exp_histogram_fields::kNegative, row, writer);
    exemplars_.WriteAll(exp_histogram_fields::kExemplars, points_.id, row, writer);
    WriteOptional(exp_histogram_fields::kMin, min_, row, writer);
    WriteOptional(exp_histogram_fields::kMax, max_, row, writer);
    WriteDouble(exp_histogram_fields::kZeroThreshold, zero_threshold_, row, writer);
  }

 private:
  PointColumns points_;
  ExemplarWalk exemplars_;
  BucketsWalk positive_;
  BucketsWalk negative_;
  NumberColumn<uint64_t> count_;
  NumberColumn<double> sum_;
  NumberColumn<int32_t> scale_;
  NumberColumn<uint64_t> zero_count_;
  NumberColumn<double> min_;
  NumberColumn<double> max_;
  NumberColumn<double> zero_threshold_;
};

}  // namespace df::otlp
