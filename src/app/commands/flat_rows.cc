#include "app/commands/flat_rows.h"

#include <array>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>

#include "app/commands/point_numbers.h"
#include "app/commands/span_children.h"
#include "app/commands/value_json.h"

namespace df::app {
namespace {

using otap::Signal;
using select::Value;
using enum FlatType;

constexpr auto kLogColumns = std::to_array<FlatColumn>({
    {"time", kTime, "time_unix_nano"},
    {"observed_time", kTime, "observed_time_unix_nano"},
    {"service", kText, "resource.attributes[\"service.name\"]"},
    {"severity_number", kInteger, "severity_number"},
    {"severity_text", kText, "severity_text"},
    {"body", kValue, "body"},
    {"event_name", kText, "event_name"},
    {"trace_id", kId, "trace_id.string"},
    {"span_id", kId, "span_id.string"},
    {"flags", kInteger, "flags"},
    {"attributes", kJson, "attributes"},
    {"dropped_attributes_count", kInteger, "dropped_attributes_count"},
    {"scope_name", kText, "scope.name"},
    {"scope_version", kText, "scope.version"},
    {"scope_attributes", kJson, "scope.attributes"},
    {"scope_schema_url", kText, "scope.schema_url"},
    {"resource_attributes", kJson, "resource.attributes"},
    {"resource_schema_url", kText, "resource.schema_url"},
});

constexpr auto kSpanColumns = std::to_array<FlatColumn>({
    {"start_time", kTime, "start_time_unix_nano"},
    {"end_time", kTime, "end_time_unix_nano"},
    {"service", kText, "resource.attributes[\"service.name\"]"},
    {"name", kText, "name"},
    {"kind", kText, "kind.string"},
    {"status_code", kInteger, "status.code"},
    {"status_message", kText, "status.message"},
    {"trace_id", kId, "trace_id.string"},
    {"span_id", kId, "span_id.string"},
    {"parent_span_id", kId, "parent_span_id.string"},
    {"trace_state", kText, "trace_state"},
    {"flags", kInteger, "flags"},
    {"attributes", kJson, "attributes"},
    {"events", kJson, "#events"},
    {"links", kJson, "#links"},
    {"dropped_attributes_count", kInteger, "dropped_attributes_count"},
    {"dropped_events_count", kInteger, "dropped_events_count"},
    {"dropped_links_count", kInteger, "dropped_links_count"},
    {"scope_name", kText, "scope.name"},
    {"scope_version", kText, "scope.version"},
    {"scope_attributes", kJson, "scope.attributes"},
    {"scope_schema_url", kText, "scope.schema_url"},
    {"resource_attributes", kJson, "resource.attributes"},
    {"resource_schema_url", kText, "resource.schema_url"},
});

constexpr auto kPointColumns = std::to_array<FlatColumn>({
    {"time", kTime, "time_unix_nano"},
    {"start_time", kTime, "start_time_unix_nano"},
    {"service", kText, "resource.attributes[\"service.name\"]"},
    {"metric", kText, "metric.name"},
    {"unit", kText, "metric.unit"},
    {"description", kText, "metric.description"},
    {"type", kText, "#table"},
    {"temporality", kInteger, "metric.aggregation_temporality"},
    {"is_monotonic", kBoolean, "metric.is_monotonic"},
    {"int_value", kInteger, "#number"},
    {"double_value", kDouble, "#number"},
    {"count", kCount, "count"},
    {"sum", kDouble, "#number"},
    {"min", kDouble, "#number"},
    {"max", kDouble, "#number"},
    {"bucket_counts", kCounts, "bucket_counts"},
    {"explicit_bounds", kJson, "explicit_bounds"},
    {"scale", kInteger, "scale"},
    {"zero_count", kCount, "zero_count"},
    {"zero_threshold", kDouble, "#number"},
    {"positive_offset", kInteger, "positive.offset"},
    {"positive_bucket_counts", kCounts, "positive.bucket_counts"},
    {"negative_offset", kInteger, "negative.offset"},
    {"negative_bucket_counts", kCounts, "negative.bucket_counts"},
    {"quantiles", kJson, "#quantiles"},
    {"flags", kInteger, "flags"},
    {"attributes", kJson, "attributes"},
    {"scope_name", kText, "scope.name"},
    {"scope_version", kText, "scope.version"},
    {"scope_attributes", kJson, "scope.attributes"},
    {"scope_schema_url", kText, "scope.schema_url"},
    {"resource_attributes", kJson, "resource.attributes"},
    {"resource_schema_url", kText, "resource.schema_url"},
});

std::shared_ptr<arrow::DataType> TypeOf(FlatType type) {
  switch (type) {
    case kTime:
      return arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
    case kInteger:
      return arrow::int64();
    case kCount:
      return arrow::uint64();
    case kDouble:
      return arrow::float64();
    case kBoolean:
      return arrow::boolean();
    case kText:
    case kId:
    case kValue:
    case kJson:
    case kCounts:
      break;
  }
  return arrow::utf8();
}

/// What the data points of a table are called.
std::string_view PointName(otap::TableKind table, const Value& metric_type) {
  switch (table) {
    case otap::TableKind::kHistogramDataPoints:
      return "histogram";
    case otap::TableKind::kExpHistogramDataPoints:
      return "exponential_histogram";
    case otap::TableKind::kSummaryDataPoints:
      return "summary";
    default:
      break;
  }
  const auto* type = metric_type.As<int64_t>();
  return type != nullptr && *type == 2 ? "sum" : "gauge";
}

/// Appends values of one column.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(FlatType type) : type_(type) {
    switch (type) {
      case kTime:
        builder_ =
            std::make_unique<arrow::TimestampBuilder>(TypeOf(type), arrow::default_memory_pool());
        break;
      case kInteger:
        builder_ = std::make_unique<arrow::Int64Builder>();
        break;
      case kCount:
        builder_ = std::make_unique<arrow::UInt64Builder>();
        break;
      case kDouble:
        builder_ = std::make_unique<arrow::DoubleBuilder>();
        break;
      case kBoolean:
        builder_ = std::make_unique<arrow::BooleanBuilder>();
        break;
      case kText:
      case kId:
      case kValue:
      case kJson:
      case kCounts:
        builder_ = std::make_unique<arrow::StringBuilder>();
        break;
    }
  }

  Status Append(const Value& value) {
    switch (type_) {
      case kTime: {
        const auto* nanos = value.As<int64_t>();
        return nanos == nullptr || *nanos == 0
                   ? builder_->AppendNull()
                   : static_cast<arrow::TimestampBuilder&>(*builder_).Append(*nanos);
      }
      case kInteger: {
        const auto* number = value.As<int64_t>();
        return number == nullptr ? builder_->AppendNull()
                                 : static_cast<arrow::Int64Builder&>(*builder_).Append(*number);
      }
      case kCount: {
        const auto* count = value.As<int64_t>();
        return count == nullptr ? builder_->AppendNull()
                                : static_cast<arrow::UInt64Builder&>(*builder_).Append(
                                      static_cast<uint64_t>(*count));
      }
      case kDouble:
        return AppendDouble(value);
      case kBoolean: {
        const auto* truth = value.As<bool>();
        return truth == nullptr ? builder_->AppendNull()
                                : static_cast<arrow::BooleanBuilder&>(*builder_).Append(*truth);
      }
      case kText:
      case kId:
      case kValue:
      case kJson:
      case kCounts:
        break;
    }
    return AppendText(value);
  }

  /// Appends JSON; "" is null.
  Status AppendJsonText(const std::string& json) {
    return json.empty() ? builder_->AppendNull()
                        : static_cast<arrow::StringBuilder&>(*builder_).Append(json);
  }

  Result<std::shared_ptr<arrow::Array>> Finish() { return builder_->Finish(); }

 private:
  Status AppendDouble(const Value& value) {
    auto& doubles = static_cast<arrow::DoubleBuilder&>(*builder_);
    if (const auto* real = value.As<double>()) {
      return doubles.Append(*real);
    }
    const auto* number = value.As<int64_t>();
    return number == nullptr ? doubles.AppendNull() : doubles.Append(static_cast<double>(*number));
  }

  Status AppendText(const Value& value) {
    auto& texts = static_cast<arrow::StringBuilder&>(*builder_);
    if (const auto* text = value.As<select::Text>(); text != nullptr && type_ != kJson) {
      const bool says_nothing =
          (type_ == kText && text->view().empty()) ||
          (type_ == kId && text->view().find_first_not_of('0') == std::string_view::npos);
      return says_nothing ? texts.AppendNull() : texts.Append(text->view());
    }
    const bool is_empty = (value.map() != nullptr && value.map()->empty()) ||
                          (value.list() != nullptr && value.list()->empty());
    if (value.is_nil() || (is_empty && (type_ == kJson || type_ == kCounts))) {
      return texts.AppendNull();
    }
    std::string json;
    type_ == kCounts ? AppendCounts(value, &json) : AppendJson(value, &json);
    const bool is_quoted = type_ != kJson && value.As<select::Bytes>() != nullptr;
    return texts.Append(is_quoted ? std::string_view(json).substr(1, json.size() - 2)
                                  : std::string_view(json));
  }

  FlatType type_;
  std::unique_ptr<arrow::ArrayBuilder> builder_;
};

}  // namespace

std::span<const FlatColumn> FlatColumnsOf(Signal signal) {
  switch (signal) {
    case Signal::kLogs:
      return kLogColumns;
    case Signal::kTraces:
      return kSpanColumns;
    case Signal::kMetrics:
      break;
  }
  return kPointColumns;
}

Result<FlatRows> FlatRows::Make(Signal signal) {
  FlatRows rows(signal);
  arrow::FieldVector fields;
  for (const FlatColumn& column : FlatColumnsOf(signal)) {
    fields.push_back(arrow::field(std::string(column.name), TypeOf(column.type)));
    // The type of a metric says more than its table.
    const std::string_view path = column.path == "#table" ? "metric.type" : column.path;
    if (!path.starts_with('#')) {
      ARROW_ASSIGN_OR_RAISE(auto expression,
                            select::Expression::Compile(std::string(path), signal));
      rows.expressions_.push_back(std::move(expression));
    }
  }
  rows.schema_ = arrow::schema(std::move(fields));
  return rows;
}

Result<std::shared_ptr<arrow::RecordBatch>> FlatRows::Convert(const otap::Batch& batch,
                                                              otap::TableKind table) const {
  const auto& source = batch.table(table);
  const int64_t num_rows = source->num_rows();
  std::unique_ptr<SpanChildren> children;
  if (signal_ == Signal::kTraces) {
    children = std::make_unique<SpanChildren>(batch);
  }
  arrow::ArrayVector arrays;
  size_t expression = 0;
  for (const FlatColumn& column : FlatColumnsOf(signal_)) {
    ColumnBuilder builder(column.type);
    if (column.path.starts_with('#') && column.path != "#table") {
      for (int64_t row = 0; row < num_rows; ++row) {
        ARROW_RETURN_NOT_OK(
            column.path == "#number"   ? builder.Append(NumberAt(source, column.name, row))
            : column.path == "#events" ? builder.AppendJsonText(children->EventsOf(row))
            : column.path == "#links"  ? builder.AppendJsonText(children->LinksOf(row))
                                       : builder.AppendJsonText(QuantilesAt(source, row)));
      }
    } else {
      select::ExpressionReader reader(expressions_[expression++], batch, table);
      for (int64_t row = 0; row < num_rows; ++row) {
        const Value value = reader.At(row);
        ARROW_RETURN_NOT_OK(column.path == "#table" ? builder.Append(select::MakeText(
                                                          std::string(PointName(table, value))))
                                                    : builder.Append(value));
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto array, builder.Finish());
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(schema_, num_rows, std::move(arrays));
}

}  // namespace df::app
