// Metrics of a batch, with their data points.
#pragma once

#include "otlp/exp_histogram_walk.h"
#include "otlp/point_walk.h"

namespace df::otlp {

/// Values of `metric_type` (format reference 2.6).
enum class MetricType : uint8_t {
  kNone = 0,
  kGauge = 1,
  kSum = 2,
  kHistogram = 3,
  kExpHistogram = 4,
  kSummary = 5,
};

class MetricWalk {
 public:
  static constexpr RequestFields kFields = kMetricsShapes.fields();

  MetricWalk(const WalkContext& context, const ColumnSource& root)
      : stats_(context.stats),
        metadata_(context, otap::TableKind::kMetricAttrs),
        numbers_(context),
        summaries_(context),
        histograms_(context),
        exp_histograms_(context) {
    root.Bind("id", &id_);
    root.Bind("metric_type", &type_);
    root.Bind("name", &name_);
    root.Bind("description", &description_);
    root.Bind("unit", &unit_);
    root.Bind("aggregation_temporality", &temporality_);
    root.Bind("is_monotonic", &is_monotonic_);
  }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    WriteText(metric_fields::kName, name_, row, writer);
    WriteText(metric_fields::kDescription, description_, row, writer);
    WriteText(metric_fields::kUnit, unit_, row, writer);
    WriteAttributes(metric_fields::kMetadata, metadata_, id_, row, stats_, writer);
    WriteData(row, writer);
  }

 private:
  template <typename Writer>
  void WriteData(int64_t row, Writer* writer) const {
    switch (static_cast<MetricType>(type_.ValueOr(row, 0))) {
      case MetricType::kNone:
        return;
      case MetricType::kGauge:
        writer->Message(metric_fields::kGauge, Expect::kSmall,
                        [&] { WritePoints(numbers_, row, writer); });
        return;
      case MetricType::kSum:
        writer->Message(metric_fields::kSum, Expect::kSmall, [&] {
          WriteEnum(metric_fields::kTemporality, temporality_, row, writer);
          if (is_monotonic_.Has(row) && is_monotonic_.Value(row)) {
            writer->Bool(metric_fields::kIsMonotonic, true);
          }
          WritePoints(numbers_, row, writer);
        });
        return;
      case MetricType::kHistogram:
        writer->Message(metric_fields::kHistogram, Expect::kSmall, [&] {
          WriteEnum(metric_fields::kTemporality, temporality_, row, writer);
          WritePoints(histograms_, row, writer);
        });
        return;
      case MetricType::kExpHistogram:
        writer->Message(metric_fields::kExpHistogram, Expect::kSmall, [&] {
          WriteEnum(metric_fields::kTemporality, temporality_, row, writer);
          WritePoints(exp_histograms_, row, writer);
        });
        return;
      case MetricType::kSummary:
        writer->Message(metric_fields::kSummary, Expect::kSmall,
                        [&] { WritePoints(summaries_, row, writer); });
        return;
    }
    ++stats_->unknown_metrics;
  }

  template <typename Writer, typename Points>
  void WritePoints(const Points& points, int64_t row, Writer* writer) const {
    if (!id_.Has(row)) {
      return;
    }
    const ChildIndex::Rows rows = points.index().Of(id_.Value(row));
    if (rows.empty()) {
      return;
    }
    stats_->items += rows.size();
    writer->List(metric_fields::kDataPoints, [&] {
      for (uint32_t i = 0; i < rows.size(); ++i) {
        writer->Item(metric_fields::kDataPoints, Expect::kTiny,
                     [&] { points.Write(rows[i], writer); });
      }
    });
  }

  EncodeStats* stats_;
  AttributeTable metadata_;
  NumberPointWalk numbers_;
  SummaryPointWalk summaries_;
  HistogramPointWalk histograms_;
  ExpHistogramPointWalk exp_histograms_;
  NumberColumn<uint16_t> id_;
  NumberColumn<uint8_t> type_;
  BytesColumn name_;
  BytesColumn description_;
  BytesColumn unit_;
  NumberColumn<int32_t> temporality_;
  BoolColumn is_monotonic_;
};

}  // namespace df::otlp
