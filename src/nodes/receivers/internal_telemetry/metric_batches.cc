#include "nodes/receivers/internal_telemetry/metric_batches.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "nodes/receivers/internal_telemetry/table_columns.h"

namespace df::nodes::receivers::internal_telemetry {
namespace {

using otap::TableKind;
using telemetry::InstrumentKind;
using telemetry::MetricFamily;
using telemetry::MetricPoint;

// Values of metric_type and aggregation_temporality (format reference 2.6).
constexpr uint8_t kTypeGauge = 1;
constexpr uint8_t kTypeSum = 2;
constexpr uint8_t kTypeHistogram = 3;
constexpr int32_t kCumulative = 2;

double Shown(const MetricFamily& family, int64_t value) {
  return family.is_time() ? telemetry::ToSeconds(value) : static_cast<double>(value);
}

/// Points of numbers or of histograms: ids, times, and attributes in a table of their own.
struct PointColumns {
  PointColumns(TableKind kind, TableKind attributes_kind)
      : table(kind),
        id(table.Add<arrow::UInt32Builder>("id")),
        parent_id(table.Add<arrow::UInt16Builder>("parent_id")),
        start(table.Add<arrow::TimestampBuilder>("start_time_unix_nano")),
        time(table.Add<arrow::TimestampBuilder>("time_unix_nano")),
        attributes(attributes_kind) {}

  Status Append(uint16_t metric_id, const MetricPoint& point, int64_t unix_nanos) {
    ARROW_RETURN_NOT_OK(id->Append(next_id));
    ARROW_RETURN_NOT_OK(parent_id->Append(metric_id));
    ARROW_RETURN_NOT_OK(start->Append(point.set->start_unix_nanos));
    ARROW_RETURN_NOT_OK(time->Append(unix_nanos));
    for (const auto& [key, value] : point.attributes.entries()) {
      ARROW_RETURN_NOT_OK(attributes.Append(next_id, key, std::string_view(value)));
    }
    ++next_id;
    return Status::OK();
  }

  TableColumns table;
  arrow::UInt32Builder* id;
  arrow::UInt16Builder* parent_id;
  arrow::TimestampBuilder* start;
  arrow::TimestampBuilder* time;
  AttributeColumns<arrow::UInt32Builder> attributes;
  uint32_t next_id = 0;
};

class MetricBatchBuilder {
 public:
  MetricBatchBuilder(const Resource& resource, int64_t unix_nanos)
      : resource_(resource), unix_nanos_(unix_nanos) {}

  int64_t num_rows() const { return next_metric_id_; }

  Status BeginSet(const telemetry::SetIdentity& set) {
    scope_name_ = set.scope;
    ++scope_id_;
    for (const auto& [key, value] : set.attributes.entries()) {
      ARROW_RETURN_NOT_OK(
          scope_attributes_.Append(static_cast<uint16_t>(scope_id_), key, std::string_view(value)));
    }
    return Status::OK();
  }

  Status AddMetric(const MetricFamily& family, const std::vector<const MetricPoint*>& points) {
    ARROW_RETURN_NOT_OK(AddRow(family));
    const auto metric_id = static_cast<uint16_t>(next_metric_id_++);
    for (const MetricPoint* point : points) {
      ARROW_RETURN_NOT_OK(family.kind == InstrumentKind::kHistogram
                              ? AddHistogram(metric_id, family, *point)
                              : AddNumber(metric_id, family, *point));
    }
    return Status::OK();
  }

  Result<otap::BatchPtr> Finish() {
    for (const auto& [key, value] : resource_) {
      ARROW_RETURN_NOT_OK(resource_attributes_.Append(uint16_t{0}, key, std::string_view(value)));
    }
    otap::BatchBuilder batch(otap::Signal::kMetrics);
    const auto set = [&batch](TableKind kind, auto* columns) -> Status {
      ARROW_ASSIGN_OR_RAISE(auto table, columns->Finish());
      return batch.Set(kind, std::move(table));
    };
    ARROW_RETURN_NOT_OK(set(TableKind::kResourceAttrs, &resource_attributes_));
    ARROW_RETURN_NOT_OK(set(TableKind::kScopeAttrs, &scope_attributes_));
    ARROW_RETURN_NOT_OK(set(TableKind::kUnivariateMetrics, &root_));
    ARROW_RETURN_NOT_OK(set(TableKind::kNumberDataPoints, &numbers_.table));
    ARROW_RETURN_NOT_OK(set(TableKind::kNumberDpAttrs, &numbers_.attributes));
    ARROW_RETURN_NOT_OK(set(TableKind::kHistogramDataPoints, &histograms_.table));
    ARROW_RETURN_NOT_OK(set(TableKind::kHistogramDpAttrs, &histograms_.attributes));
    return batch.Build();
  }

 private:
  Status AddRow(const MetricFamily& family) {
    ARROW_RETURN_NOT_OK(id_->Append(static_cast<uint16_t>(next_metric_id_)));
    ARROW_RETURN_NOT_OK(resource_.empty() ? resource_group_.id->AppendNull()
                                          : resource_group_.id->Append(0));
    ARROW_RETURN_NOT_OK(scope_group_.id->Append(static_cast<uint16_t>(scope_id_)));
    ARROW_RETURN_NOT_OK(scope_group_.name->Append(scope_name_));
    ARROW_RETURN_NOT_OK(name_->Append(family.name));
    ARROW_RETURN_NOT_OK(description_->Append(family.description));
    ARROW_RETURN_NOT_OK(unit_->Append(family.unit));
    if (family.kind == InstrumentKind::kGauge) {
      ARROW_RETURN_NOT_OK(type_->Append(kTypeGauge));
      ARROW_RETURN_NOT_OK(temporality_->AppendNull());
      return is_monotonic_->AppendNull();
    }
    ARROW_RETURN_NOT_OK(temporality_->Append(kCumulative));
    if (family.kind == InstrumentKind::kHistogram) {
      ARROW_RETURN_NOT_OK(type_->Append(kTypeHistogram));
      return is_monotonic_->AppendNull();
    }
    ARROW_RETURN_NOT_OK(type_->Append(kTypeSum));
    return is_monotonic_->Append(family.kind == InstrumentKind::kCounter);
  }

  Status AddNumber(uint16_t metric_id, const MetricFamily& family, const MetricPoint& point) {
    ARROW_RETURN_NOT_OK(numbers_.Append(metric_id, point, unix_nanos_));
    if (family.is_time()) {
      ARROW_RETURN_NOT_OK(integer_->AppendNull());
      return number_->Append(Shown(family, point.value));
    }
    ARROW_RETURN_NOT_OK(integer_->Append(point.value));
    return number_->AppendNull();
  }

  Status AddHistogram(uint16_t metric_id, const MetricFamily& family, const MetricPoint& point) {
    const telemetry::HistogramValue& value = point.histogram;
    ARROW_RETURN_NOT_OK(histograms_.Append(metric_id, point, unix_nanos_));
    ARROW_RETURN_NOT_OK(count_->Append(static_cast<uint64_t>(value.count)));
    ARROW_RETURN_NOT_OK(sum_->Append(Shown(family, value.sum)));
    ARROW_RETURN_NOT_OK(bucket_counts_->Append());
    auto* counts = static_cast<arrow::UInt64Builder*>(bucket_counts_->value_builder());
    for (const int64_t count : value.counts) {
      ARROW_RETURN_NOT_OK(counts->Append(static_cast<uint64_t>(count)));
    }
    ARROW_RETURN_NOT_OK(explicit_bounds_->Append());
    auto* bounds = static_cast<arrow::DoubleBuilder*>(explicit_bounds_->value_builder());
    for (const int64_t bound : value.bounds) {
      ARROW_RETURN_NOT_OK(bounds->Append(Shown(family, bound)));
    }
    if (value.count == 0) {
      ARROW_RETURN_NOT_OK(min_->AppendNull());
      return max_->AppendNull();
    }
    ARROW_RETURN_NOT_OK(min_->Append(Shown(family, value.min)));
    return max_->Append(Shown(family, value.max));
  }

  const Resource& resource_;
  int64_t unix_nanos_;
  std::string scope_name_;
  int64_t scope_id_ = -1;
  int64_t next_metric_id_ = 0;

  AttributeColumns<arrow::UInt16Builder> resource_attributes_{TableKind::kResourceAttrs};
  AttributeColumns<arrow::UInt16Builder> scope_attributes_{TableKind::kScopeAttrs};

  TableColumns root_{TableKind::kUnivariateMetrics};
  arrow::UInt16Builder* id_ = root_.Add<arrow::UInt16Builder>("id");
  TableColumns::Group resource_group_ = root_.AddGroup("resource");
  TableColumns::Group scope_group_ = root_.AddGroup("scope");
  arrow::UInt8Builder* type_ = root_.Add<arrow::UInt8Builder>("metric_type");
  arrow::StringBuilder* name_ = root_.Add<arrow::StringBuilder>("name");
  arrow::StringBuilder* description_ = root_.Add<arrow::StringBuilder>("description");
  arrow::StringBuilder* unit_ = root_.Add<arrow::StringBuilder>("unit");
  arrow::Int32Builder* temporality_ = root_.Add<arrow::Int32Builder>("aggregation_temporality");
  arrow::BooleanBuilder* is_monotonic_ = root_.Add<arrow::BooleanBuilder>("is_monotonic");

  PointColumns numbers_{TableKind::kNumberDataPoints, TableKind::kNumberDpAttrs};
  arrow::Int64Builder* integer_ = numbers_.table.Add<arrow::Int64Builder>("int_value");
  arrow::DoubleBuilder* number_ = numbers_.table.Add<arrow::DoubleBuilder>("double_value");

  PointColumns histograms_{TableKind::kHistogramDataPoints, TableKind::kHistogramDpAttrs};
  arrow::UInt64Builder* count_ = histograms_.table.Add<arrow::UInt64Builder>("count");
  arrow::DoubleBuilder* sum_ = histograms_.table.Add<arrow::DoubleBuilder>("sum");
  arrow::ListBuilder* bucket_counts_ = histograms_.table.Add<arrow::ListBuilder>("bucket_counts");
  arrow::ListBuilder* explicit_bounds_ =
      histograms_.table.Add<arrow::ListBuilder>("explicit_bounds");
  arrow::DoubleBuilder* min_ = histograms_.table.Add<arrow::DoubleBuilder>("min");
  arrow::DoubleBuilder* max_ = histograms_.table.Add<arrow::DoubleBuilder>("max");
};

}  // namespace

/// A set and its metrics, each with its points.
struct MetricBatches::Set {
  const telemetry::SetIdentity* identity = nullptr;
  std::vector<std::pair<const MetricFamily*, std::vector<const MetricPoint*>>> metrics;
};

MetricBatches::MetricBatches(telemetry::MetricSnapshot snapshot, const Resource& resource,
                             int64_t max_rows)
    : snapshot_(std::move(snapshot)), resource_(resource), max_rows_(max_rows) {
  std::map<std::pair<std::string_view, telemetry::Attributes>, size_t> numbers;
  std::unordered_map<const telemetry::SetIdentity*, size_t> known;
  for (const MetricFamily& family : snapshot_.families) {
    for (const MetricPoint& point : family.points) {
      const auto [entry, is_new] = known.try_emplace(point.set.get(), sets_.size());
      if (is_new) {  // comparing attributes is what takes time
        entry->second = numbers.try_emplace({point.set->scope, point.set->attributes}, sets_.size())
                            .first->second;
        sets_.resize(std::max(sets_.size(), entry->second + 1));
        sets_[entry->second].identity = point.set.get();
      }
      auto& metrics = sets_[entry->second].metrics;
      if (metrics.empty() || metrics.back().first != &family) {
        metrics.emplace_back(&family, std::vector<const MetricPoint*>());
      }
      metrics.back().second.push_back(&point);
    }
  }
}

MetricBatches::~MetricBatches() = default;

Result<otap::BatchPtr> MetricBatches::Next() {
  MetricBatchBuilder builder(resource_, snapshot_.unix_nanos);
  for (; next_ < sets_.size() && builder.num_rows() < max_rows_; ++next_) {
    const Set& set = sets_[next_];
    ARROW_RETURN_NOT_OK(builder.BeginSet(*set.identity));
    for (const auto& [family, points] : set.metrics) {
      ARROW_RETURN_NOT_OK(builder.AddMetric(*family, points));
    }
  }
  if (builder.num_rows() == 0) {
    return otap::BatchPtr();
  }
  return builder.Finish();
}

}  // namespace df::nodes::receivers::internal_telemetry
