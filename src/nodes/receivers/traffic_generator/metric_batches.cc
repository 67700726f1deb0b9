#include <array>
#include <cmath>

#include "nodes/receivers/traffic_generator/attribute_rows.h"
#include "nodes/receivers/traffic_generator/batches.h"
#include "nodes/receivers/traffic_generator/column.h"
#include "otlp/schema/messages.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

using otap::TableKind;
using otlp::MetricType;

constexpr int64_t kStepNanos = 1000;
constexpr int64_t kIntervalNanos = 60'000'000'000;
// Values of aggregation_temporality (format reference 2.6).
constexpr int32_t kDelta = 1;
constexpr int32_t kCumulative = 2;

struct Definition {
  std::string_view name;
  std::string_view unit;
  std::string_view description;
  MetricType type;
  bool is_monotonic = false;
  int32_t temporality = 0;  ///< 0: none
  bool has_integers = false;
};

constexpr std::array<Definition, 10> kDefinitions = {{
    {"system.cpu.utilization", "1", "Share of time in use", MetricType::kGauge},
    {"system.memory.usage", "By", "Memory in use", MetricType::kSum, false, kCumulative, true},
    {"http.server.request.duration", "s", "Time of requests", MetricType::kHistogram, false,
     kDelta},
    {"http.server.requests", "{request}", "Requests", MetricType::kSum, true, kCumulative, true},
    {"process.threads", "{thread}", "Threads", MetricType::kGauge, false, 0, true},
    {"rpc.duration", "s", "Time of calls", MetricType::kExpHistogram, false, kCumulative},
    {"energy.used", "J", "Energy", MetricType::kSum, true, kDelta},
    {"gc.pause", "s", "Time that stood still", MetricType::kSummary},
    {"queue.size", "By", "", MetricType::kHistogram, false, kCumulative},
    {"cache.size", "", "Entries of the cache", MetricType::kGauge},
}};

std::shared_ptr<arrow::DataType> TimeType() { return arrow::timestamp(arrow::TimeUnit::NANO); }

/// What data points of every kind have.
class Points {
 public:
  explicit Points(const Pools* pools) : pools_(pools), attributes_(pools) {}

  void Append(uint16_t metric, int64_t unix_nanos, Random* random) {
    const auto id = static_cast<uint32_t>(ids_.num_rows());
    ids_.Append(id);
    parents_.Append(metric);
    starts_.Append(unix_nanos - kIntervalNanos);
    times_.Append(unix_nanos);
    attributes_.AppendAll(id, pools_->traffic.num_metric_attributes, random);
  }

  int64_t num_rows() const { return ids_.num_rows(); }

  void AddColumns(Table* table) {
    table->Add("id", ids_.Finish(arrow::uint32()));
    table->Add("parent_id", parents_.Finish(arrow::uint16()), false);
    table->Add("start_time_unix_nano", starts_.Finish(TimeType()));
    table->Add("time_unix_nano", times_.Finish(TimeType()));
  }
  std::shared_ptr<arrow::RecordBatch> FinishAttributes() { return attributes_.Finish(); }

 private:
  const Pools* pools_;
  Column<uint32_t> ids_;
  Column<uint16_t> parents_;
  Column<int64_t> starts_;
  Column<int64_t> times_;
  AttributeRows<uint32_t> attributes_;
};

/// Values of one list column.
template <typename T>
class Lists {
 public:
  void Append(T value) { values_.Append(value); }
  void EndRow() { offsets_.push_back(static_cast<int32_t>(values_.num_rows())); }
  std::shared_ptr<arrow::Array> Finish() {
    return MakeLists(std::move(offsets_), values_.Finish(arrow::CTypeTraits<T>::type_singleton()));
  }

 private:
  Column<T> values_;
  std::vector<int32_t> offsets_ = {0};
};

class Numbers {
 public:
  explicit Numbers(const Pools* pools) : pools_(pools), points_(pools) {}

  void Append(uint16_t metric, const Definition& definition, int64_t unix_nanos, Random* random) {
    points_.Append(metric, unix_nanos, random);
    const double odd = random->OneIn(2) ? std::numeric_limits<double>::quiet_NaN() : -0.0;
    const bool is_odd = pools_->IsCorner(random) && !definition.has_integers;
    integers_.AppendIf(definition.has_integers, random->Below(1'000'000));
    doubles_.AppendIf(!definition.has_integers, is_odd ? odd : random->Fraction());
  }

  Status Finish(otap::BatchBuilder* batch) {
    if (points_.num_rows() == 0) {
      return Status::OK();
    }
    Table table;
    points_.AddColumns(&table);
    table.AddIfAny("int_value", &integers_, arrow::int64());
    table.AddIfAny("double_value", &doubles_, arrow::float64());
    ARROW_RETURN_NOT_OK(batch->Set(TableKind::kNumberDataPoints, table.Finish()));
    return batch->Set(TableKind::kNumberDpAttrs, points_.FinishAttributes());
  }

 private:
  const Pools* pools_;
  Points points_;
  Column<int64_t> integers_;
  Column<double> doubles_;
};

class Histograms {
 public:
  explicit Histograms(const Pools* pools) : pools_(pools), points_(pools) {}

  void Append(uint16_t metric, int64_t unix_nanos, Random* random) {
    points_.Append(metric, unix_nanos, random);
    uint64_t total = 0;
    // A histogram without bounds has its count only.
    if (!pools_->IsCorner(random)) {
      for (const double bound : {0.005, 0.025, 0.1, 0.5, 2.5}) {
        bounds_.Append(bound);
      }
      for (int i = 0; i < 6; ++i) {
        const uint64_t count = random->Below(100);
        total += count;
        counts_.Append(count);
      }
    }
    bounds_.EndRow();
    counts_.EndRow();
    totals_.Append(total);
    const double sum = random->Fraction() * static_cast<double>(total);
    sums_.AppendIf(total > 0, sum);
    least_.AppendIf(total > 0, sum / 1000);
    most_.AppendIf(total > 0, sum / 2);
  }

  Status Finish(otap::BatchBuilder* batch) {
    if (points_.num_rows() == 0) {
      return Status::OK();
    }
    Table table;
    points_.AddColumns(&table);
    table.Add("count", totals_.Finish(arrow::uint64()));
    table.AddIfAny("sum", &sums_, arrow::float64());
    table.Add("bucket_counts", counts_.Finish());
    table.Add("explicit_bounds", bounds_.Finish());
    table.AddIfAny("min", &least_, arrow::float64());
    table.AddIfAny("max", &most_, arrow::float64());
    ARROW_RETURN_NOT_OK(batch->Set(TableKind::kHistogramDataPoints, table.Finish()));
    return batch->Set(TableKind::kHistogramDpAttrs, points_.FinishAttributes());
  }

 private:
  const Pools* pools_;
  Points points_;
  Column<uint64_t> totals_;
  Column<double> sums_;
  Lists<uint64_t> counts_;
  Lists<double> bounds_;
  Column<double> least_;
  Column<double> most_;
};

class ExpHistograms {
 public:
  explicit ExpHistograms(const Pools* pools) : points_(pools) {}

  void Append(uint16_t metric, int64_t unix_nanos, Random* random) {
    points_.Append(metric, unix_nanos, random);
    uint64_t total = random->Below(3);
    zeros_.Append(total);
    scales_.Append(static_cast<int32_t>(random->Below(20)));
    offsets_.Append(static_cast<int32_t>(random->Below(20)) - 10);
    const uint32_t num_buckets = 1 + random->Below(8);
    for (uint32_t i = 0; i < num_buckets; ++i) {
      const uint64_t count = random->Below(50);
      total += count;
      counts_.Append(count);
    }
    counts_.EndRow();
    totals_.Append(total);
    sums_.Append(random->Fraction() * static_cast<double>(total));
  }

  Status Finish(otap::BatchBuilder* batch) {
    if (points_.num_rows() == 0) {
      return Status::OK();
    }
    Table positive;
    positive.Add("offset", offsets_.Finish(arrow::int32()));
    positive.Add("bucket_counts", counts_.Finish());
    Table table;
    points_.AddColumns(&table);
    table.Add("count", totals_.Finish(arrow::uint64()));
    table.Add("sum", sums_.Finish(arrow::float64()));
    table.Add("scale", scales_.Finish(arrow::int32()));
    table.Add("zero_count", zeros_.Finish(arrow::uint64()));
    table.Add("positive", positive.FinishStruct());
    ARROW_RETURN_NOT_OK(batch->Set(TableKind::kExpHistogramDataPoints, table.Finish()));
    return batch->Set(TableKind::kExpHistogramDpAttrs, points_.FinishAttributes());
  }

 private:
  Points points_;
  Column<uint64_t> totals_;
  Column<double> sums_;
  Column<int32_t> scales_;
  Column<uint64_t> zeros_;
  Column<int32_t> offsets_;
  Lists<uint64_t> counts_;
};

class Summaries {
 public:
  explicit Summaries(const Pools* pools) : points_(pools) {}

  void Append(uint16_t metric, int64_t unix_nanos, Random* random) {
    points_.Append(metric, unix_nanos, random);
    const double base = random->Fraction();
    for (const double quantile : {0.5, 0.9, 0.99}) {
      quantiles_.Append(quantile);
      values_.Append(base * quantile);
    }
    offsets_.push_back(static_cast<int32_t>(values_.num_rows()));
    totals_.Append(random->Below(1000));
    sums_.Append(base * 100);
  }

  Status Finish(otap::BatchBuilder* batch) {
    if (points_.num_rows() == 0) {
      return Status::OK();
    }
    Table entries;
    entries.Add("quantile", quantiles_.Finish(arrow::float64()));
    entries.Add("value", values_.Finish(arrow::float64()));
    Table table;
    points_.AddColumns(&table);
    table.Add("count", totals_.Finish(arrow::uint64()));
    table.Add("sum", sums_.Finish(arrow::float64()));
    table.Add("quantile", MakeLists(std::move(offsets_), entries.FinishStruct()));
    ARROW_RETURN_NOT_OK(batch->Set(TableKind::kSummaryDataPoints, table.Finish()));
    return batch->Set(TableKind::kSummaryDpAttrs, points_.FinishAttributes());
  }

 private:
  Points points_;
  Column<uint64_t> totals_;
  Column<double> sums_;
  Column<double> quantiles_;
  Column<double> values_;
  std::vector<int32_t> offsets_ = {0};
};

/// The columns of the root table that say what a metric is.
class MetricColumns {
 public:
  void Append(uint16_t row, uint16_t index) {
    const Definition& definition = kDefinitions[index];
    ids_.Append(row);
    definitions_.Append(index);
    types_.Append(static_cast<uint8_t>(definition.type));
    temporalities_.AppendIf(definition.temporality != 0, definition.temporality);
    definition.type == MetricType::kSum ? monotonic_.Append(definition.is_monotonic)
                                        : monotonic_.AppendNull();
  }

  std::shared_ptr<arrow::RecordBatch> Finish(const Pools& pools) {
    const int64_t num_rows = ids_.num_rows();
    std::vector<std::string> names;
    std::vector<std::string> descriptions;
    std::vector<std::string> units;
    for (const Definition& definition : kDefinitions) {
      names.emplace_back(definition.name);
      descriptions.emplace_back(definition.description);
      units.emplace_back(definition.unit);
    }
    Column<uint16_t> for_descriptions = definitions_;
    Column<uint16_t> for_units = definitions_;
    Table table;
    table.Add("id", ids_.Finish(arrow::uint16()), false);
    table.Add("resource", pools.ResourceColumn(num_rows));
    table.Add("scope", pools.ScopeColumn(num_rows));
    table.Add("metric_type", types_.Finish(arrow::uint8()), false);
    table.Add("name", definitions_.FinishIndices(MakeTexts(names)), false);
    table.Add("description", for_descriptions.FinishIndices(MakeTexts(descriptions)));
    table.Add("unit", for_units.FinishIndices(MakeTexts(units)));
    table.AddIfAny("aggregation_temporality", &temporalities_, arrow::int32());
    table.AddIfAny("is_monotonic", &monotonic_);
    return table.Finish();
  }

 private:
  Column<uint16_t> ids_;
  Column<uint16_t> definitions_;
  Column<uint8_t> types_;
  Column<int32_t> temporalities_;
  BoolColumn monotonic_;
};

}  // namespace

Result<otap::BatchPtr> MakeMetrics(const Pools& pools, int64_t num_rows, int64_t unix_nanos,
                                   Random* random) {
  MetricColumns metrics;
  Numbers numbers(&pools);
  Histograms histograms(&pools);
  ExpHistograms exp_histograms(&pools);
  Summaries summaries(&pools);
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto id = static_cast<uint16_t>(row);
    const auto index = static_cast<uint16_t>(static_cast<size_t>(row) % kDefinitions.size());
    const Definition& definition = kDefinitions[index];
    metrics.Append(id, index);
    const int64_t time = unix_nanos + row * kStepNanos;
    for (int64_t i = 0; i < pools.traffic.num_data_points_per_metric; ++i) {
      switch (definition.type) {
        case MetricType::kHistogram:
          histograms.Append(id, time, random);
          break;
        case MetricType::kExpHistogram:
          exp_histograms.Append(id, time, random);
          break;
        case MetricType::kSummary:
          summaries.Append(id, time, random);
          break;
        default:
          numbers.Append(id, definition, time, random);
      }
    }
  }
  otap::BatchBuilder batch(otap::Signal::kMetrics);
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kUnivariateMetrics, metrics.Finish(pools)));
  ARROW_RETURN_NOT_OK(numbers.Finish(&batch));
  ARROW_RETURN_NOT_OK(histograms.Finish(&batch));
  ARROW_RETURN_NOT_OK(exp_histograms.Finish(&batch));
  ARROW_RETURN_NOT_OK(summaries.Finish(&batch));
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kResourceAttrs, pools.resource_attributes));
  return batch.Build();
}

}  // namespace df::nodes::receivers::traffic_generator
