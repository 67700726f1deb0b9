// Data points of the four kinds, with their exemplars.
#pragma once

#include "otlp/value_walk.h"

namespace df::otlp {

/// One of the three exemplar tables and its attributes.
class ExemplarWalk {
 public:
  ExemplarWalk(const WalkContext& context, otap::TableKind kind, otap::TableKind attributes)
      : stats_(context.stats), table_(context, kind), attributes_(context, attributes) {
    table_.source.Bind("id", &id_);
    table_.source.Bind("time_unix_nano", &time_);
    table_.source.Bind("int_value", &integer_);
    table_.source.Bind("double_value", &real_);
    table_.source.Bind("span_id", &span_id_);
    table_.source.Bind("trace_id", &trace_id_);
  }

  /// Writes the exemplars of one point as a repeated field; nothing when there are none.
  template <typename Writer>
  void WriteAll(Field field, const NumberColumn<uint32_t>& point_id, int64_t point,
                Writer* writer) const {
    if (!point_id.Has(point)) {
      return;
    }
    const ChildIndex::Rows rows = table_.rows.Of(point_id.Value(point));
    if (rows.empty()) {
      return;
    }
    writer->List(field, [&] {
      for (uint32_t i = 0; i < rows.size(); ++i) {
        writer->Item(field, Expect::kTiny, [&] { Write(rows[i], writer); });
      }
    });
  }

 private:
  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    WriteTime(exemplar_fields::kTime, time_, row, writer);
    if (real_.Has(row)) {
      writer->Double(exemplar_fields::kDouble, real_.Value(row));
    } else if (integer_.Has(row)) {
      writer->SFixed64(exemplar_fields::kInt, integer_.Value(row));
    }
    WriteUnlessZero(exemplar_fields::kSpanId, span_id_, row, writer);
    WriteUnlessZero(exemplar_fields::kTraceId, trace_id_, row, writer);
    WriteAttributes(exemplar_fields::kAttributes, attributes_, id_, row, stats_, writer);
  }

  // The encoder of the reference writes zeros where an exemplar has no id (format reference 6.4).
  template <typename Writer>
  static void WriteUnlessZero(Field field, const FixedBytesColumn& column, int64_t row,
                              Writer* writer) {
    if (column.Has(row) && column.Value(row).find_first_not_of('\0') != std::string_view::npos) {
      writer->Id(field, column.Value(row));
    }
  }

  EncodeStats* stats_;
  ChildTable table_;
  AttributeTable attributes_;
  NumberColumn<uint32_t> id_;
  NumberColumn<int64_t> time_;
  NumberColumn<int64_t> integer_;
  NumberColumn<double> real_;
  FixedBytesColumn span_id_;
  FixedBytesColumn trace_id_;
};

/// What all four tables of data points have.
struct PointColumns {
  EncodeStats* stats;
  ChildTable table;
  AttributeTable attributes;
  NumberColumn<uint32_t> id;
  NumberColumn<int64_t> start_time;
  NumberColumn<int64_t> time;
  NumberColumn<uint32_t> flags;

  PointColumns(const WalkContext& context, otap::TableKind kind, otap::TableKind attribute_kind)
      : stats(context.stats), table(context, kind), attributes(context, attribute_kind) {
    table.source.Bind("id", &id);
    table.source.Bind("start_time_unix_nano", &start_time);
    table.source.Bind("time_unix_nano", &time);
    table.source.Bind("flags", &flags);
  }

  /// Writes times, attributes and flags; the last two have other numbers in each kind.
  template <typename Writer>
  void Write(Field attributes_field, Field flags_field, int64_t row, Writer* writer) const {
    WriteTime(point_fields::kStartTime, start_time, row, writer);
    WriteTime(point_fields::kTime, time, row, writer);
    WriteAttributes(attributes_field, attributes, id, row, stats, writer);
    WriteUInt32(flags_field, flags, row, writer);
  }
};

class NumberPointWalk {
 public:
  explicit NumberPointWalk(const WalkContext& context)
      : points_(context, otap::TableKind::kNumberDataPoints, otap::TableKind::kNumberDpAttrs),
        exemplars_(context, otap::TableKind::kNumberDpExemplars,
                   otap::TableKind::kNumberDpExemplarAttrs) {
    points_.table.source.Bind("int_value", &integer_);
    points_.table.source.Bind("double_value", &real_);
  }

  const ChildIndex& index() const { return points_.table.rows; }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    points_.Write(number_fields::kAttributes, number_fields::kFlags, row, writer);
    if (real_.Has(row)) {
      writer->Double(number_fields::kDouble, real_.Value(row));
    } else if (integer_.Has(row)) {
      writer->SFixed64(number_fields::kInt, integer_.Value(row));
    }
    exemplars_.WriteAll(number_fields::kExemplars, points_.id, row, writer);
  }

 private:
  PointColumns points_;
  ExemplarWalk exemplars_;
  NumberColumn<int64_t> integer_;
  NumberColumn<double> real_;
};

class SummaryPointWalk {
 public:
  explicit SummaryPointWalk(const WalkContext& context)
      : points_(context, otap::TableKind::kSummaryDataPoints, otap::TableKind::kSummaryDpAttrs) {
    points_.table.source.Bind("count", &count_);
    points_.table.source.Bind("sum", &sum_);
    points_.table.source.Bind("quantile", &quantiles_);
    const ColumnSource items = points_.table.source.Items("quantile");
    items.Bind("quantile", &quantile_);
    items.Bind("value", &value_);
  }

  const ChildIndex& index() const { return points_.table.rows; }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    points_.Write(summary_fields::kAttributes, summary_fields::kFlags, row, writer);
    WriteCount(point_fields::kCount, count_, row, writer);
    WriteDouble(point_fields::kSum, sum_, row, writer);
    const ListRows::Range items = quantiles_.Items(row);
    if (items.empty()) {
      return;
    }
    writer->List(summary_fields::kQuantiles, [&] {
      for (int64_t i = items.begin; i < items.end; ++i) {
        writer->Item(summary_fields::kQuantiles, Expect::kTiny, [&] {
          WriteDouble(summary_fields::kQuantile, quantile_, i, writer);
          WriteDouble(summary_fields::kValue, value_, i, writer);
        });
      }
    });
  }

 private:
  PointColumns points_;
  NumberColumn<uint64_t> count_;
  NumberColumn<double> sum_;
  ListRows quantiles_;
  NumberColumn<double> quantile_;
  NumberColumn<double> value_;
};

class HistogramPointWalk {
 public:
  explicit HistogramPointWalk(const WalkContext& context)
      : points_(context, otap::TableKind::kHistogramDataPoints, otap::TableKind::kHistogramDpAttrs),
        exemplars_(context, otap::TableKind::kHistogramDpExemplars,
                   otap::TableKind::kHistogramDpExemplarAttrs) {
    const ColumnSource& source = points_.table.source;
    source.Bind("count", &count_);
    source.Bind("sum", &sum_);
    source.Bind("bucket_counts", &bucket_counts_);
    source.Bind("explicit_bounds", &explicit_bounds_);
    source.Bind("min", &min_);
    source.Bind("max", &max_);
  }

  const ChildIndex& index() const { return points_.table.rows; }

  template <typename Writer>
  void Write(int64_t row, Writer* writer) const {
    points_.Write(histogram_fields::kAttributes, histogram_fields::kFlags, row, writer);
    WriteCount(point_fields::kCount, count_, row, writer);
    WriteOptional(point_fields::kSum, sum_, row, writer);
    if (const auto counts = bucket_counts_.Value(row); !counts.empty()) {
      writer->PackedFixed64(histogram_fields::kBucketCounts, counts);
    }
    if (const auto bounds = explicit_bounds_.Value(row); !bounds.empty()) {
      writer->PackedDouble(histogram_fields::kExplicitBounds, bounds);
    }
    exemplars_.WriteAll(histogram_fields::kExemplars, points_.id, row, writer);
    WriteOptional(histogram_fields::kMin, min_, row, writer);
    WriteOptional(histogram_fields::kMax, max_, row, writer);
  }

 private:
  PointColumns points_;
  ExemplarWalk exemplars_;
  NumberColumn<uint64_t> count_;
  NumberColumn<double> sum_;
  ListColumn<uint64_t> bucket_counts_;
  ListColumn<double> explicit_bounds_;
  NumberColumn<double> min_;
  NumberColumn<double> max_;
};

}  // namespace df::otlp
