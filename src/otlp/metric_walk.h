// Metrics of a batch, with their data points.
#pragma once

#include "otlp/row_walk.h"

namespace df::otlp {

class MetricWalk {
 public:
  MetricWalk(const WalkContext& context, const ColumnSource& root)
      : stats_(context.stats),
        fields_(context, root),
        temporality_(context, root),
        is_monotonic_(context, root),
        numbers_(context),
        summaries_(context),
        histograms_(context),
        exp_histograms_(context) {
    root.Bind("metric_type", &type_);
  }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    fields_.Write(row, writer);
    switch (static_cast<MetricType>(type_.ValueOr(row, 0))) {
      case MetricType::kNone:
        return;
      case MetricType::kGauge:
        return WriteData<MetricType::kGauge>(numbers_, row, writer);
      case MetricType::kSum:
        return WriteData<MetricType::kSum>(numbers_, row, writer);
      case MetricType::kHistogram:
        return WriteData<MetricType::kHistogram>(histograms_, row, writer);
      case MetricType::kExpHistogram:
        return WriteData<MetricType::kExpHistogram>(exp_histograms_, row, writer);
      case MetricType::kSummary:
        return WriteData<MetricType::kSummary>(summaries_, row, writer);
    }
    ++stats_->unknown_metrics;
  }

 private:
  using Columns = TableColumns<otap::TableKind::kUnivariateMetrics>;

  template <MetricType kType, typename Points, typename Writer>
  void WriteData(const Points& points, int64_t row, Writer* writer) const {
    constexpr const FieldShape& kData = DataField(kType);
    constexpr const MessageShape& kShape = *kData.message;
    writer->Message(kData.field(), kData.expect, [&] {
      RowAt at = fields_.At(row);
      if constexpr (kShape.Has(kSumFields[0].name)) {
        temporality_.Write(at, writer);
      }
      if constexpr (kShape.Has(kSumFields[1].name)) {
        is_monotonic_.Write(at, writer);
      }
      if (at.has_id) {
        stats_->items += points.WriteAll(kShape.At("data_points"), at.id, writer);
      }
    });
  }

  EncodeStats* stats_;
  RowWalk<kMetricShape, Columns> fields_;
  FieldWalk<FieldIn<Columns, kSumShape, 0>> temporality_;
  FieldWalk<FieldIn<Columns, kSumShape, 1>> is_monotonic_;
  TableWalk<kNumberPointShape, otap::TableKind::kNumberDataPoints> numbers_;
  TableWalk<kSummaryPointShape, otap::TableKind::kSummaryDataPoints> summaries_;
  TableWalk<kHistogramPointShape, otap::TableKind::kHistogramDataPoints> histograms_;
  TableWalk<kExpHistogramPointShape, otap::TableKind::kExpHistogramDataPoints> exp_histograms_;
  NumberColumn<uint8_t> type_;
};

}  // namespace df::otlp
