// Metrics with their data points out of protobuf.
#pragma once

#include <cstdint>
#include <string_view>

#include "otap/batch.h"
#include "otlp/decode/group_builder.h"
#include "otlp/decode/point_builder.h"

namespace df::otlp {

/// Fills the tables of metrics, but for resources and scopes.
class MetricRecords {
 public:
  static constexpr RequestFields kFields = kMetricsShapes.fields();
  static constexpr otap::Signal kSignal = otap::Signal::kMetrics;

  /// Appends a Metric message as the next row, with its points. Returns false when it is malformed.
  bool Append(std::string_view record, ValueReader* reader);

  int64_t num_rows() const { return num_rows_; }
  /// Ids of a length that no id has, since the last Clear.
  int64_t invalid_ids() const {
    return numbers_.invalid_ids() + histograms_.invalid_ids() + exp_histograms_.invalid_ids();
  }

  /// Sets the root table and those below it. Errors: OutOfMemory.
  arrow::Status Finish(GroupBuilder* groups, otap::BatchBuilder* batch);
  void Clear();

 private:
  struct MetricFields;
  static bool ReplaceData(uint32_t tag, ValueReader* reader, MetricFields* metric);
  bool ReadHead(std::string_view record, ValueReader* reader, MetricFields* metric);
  bool ReadData(const MetricFields& metric, std::string_view data, ValueReader* reader);
  bool ReadDataField(const MetricFields& metric, uint32_t tag, ProtoReader* in,
                     ValueReader* reader);

  int64_t num_rows_ = 0;
  NumberBuilder<uint8_t> types_;
  TextBuilder names_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  TextBuilder descriptions_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  TextBuilder units_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  NumberBuilder<int32_t> temporalities_;
  BoolBuilder is_monotonic_;
  AttributeBuilder metadata_{otap::TableKind::kMetricAttrs};
  NumberPointBuilder numbers_;
  SummaryPointBuilder summaries_;
  HistogramPointBuilder histograms_;
  ExpHistogramPointBuilder exp_histograms_;
};

}  // namespace df::otlp
