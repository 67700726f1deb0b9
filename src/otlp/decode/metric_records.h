// Metrics with their data points out of protobuf.
#pragma once

#include <cstdint>
#include <string_view>

#include "otap/batch.h"
#include "otlp/decode/group_builder.h"
#include "otlp/decode/table_builder.h"

namespace df::otlp {

/// Fills the tables of metrics, but for resources and scopes.
class MetricRecords {
 public:
  /// Appends a Metric message as the next row, with its points. Returns false when it is malformed.
  /// A root has no parent.
  bool Append(uint32_t parent, std::string_view record, ValueReader* reader);

  int64_t num_rows() const { return num_rows_; }
  /// Ids of a length that no id has, since the last Clear.
  int64_t invalid_ids() const {
    return numbers_.invalid_ids() + histograms_.invalid_ids() + exp_histograms_.invalid_ids();
  }

  /// Sets the root table and those below it. Errors: OutOfMemory.
  arrow::Status Finish(GroupBuilder* groups, otap::BatchBuilder* batch);
  void Clear();

 private:
  using Columns = TableColumns<otap::TableKind::kUnivariateMetrics>;
  using Rows = RowBuilder<kMetricShape, Columns>;
  struct Data;
  bool ReadData(const Data& data, ValueReader* reader);
  template <MetricType kType, typename Points>
  bool ReadPart(std::string_view part, Points* points, ValueReader* reader);

  int64_t num_rows_ = 0;
  NumberBuilder<uint8_t> types_;
  NumberBuilder<int32_t> temporalities_;
  BoolBuilder is_monotonic_;
  Rows rows_;
  TableBuilder<kNumberPointShape, otap::TableKind::kNumberDataPoints> numbers_;
  TableBuilder<kSummaryPointShape, otap::TableKind::kSummaryDataPoints> summaries_;
  TableBuilder<kHistogramPointShape, otap::TableKind::kHistogramDataPoints> histograms_;
  TableBuilder<kExpHistogramPointShape, otap::TableKind::kExpHistogramDataPoints> exp_histograms_;
};

}  // namespace df::otlp
