// Lakes in folders of days or hours, for tests.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "lake/write/signal_writer.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"

namespace df::testing {

inline constexpr int64_t kHour = int64_t{3'600} * 1'000'000'000;
inline constexpr int64_t kMidnight = int64_t{20'000} * 24 * kHour;  ///< of 2024-10-04

/// Returns a time, or none.
using Draw = std::function<std::optional<int64_t>()>;

inline std::shared_ptr<arrow::RecordBatch> WithColumn(std::shared_ptr<arrow::RecordBatch> table,
                                                      const std::string& name, const Draw& draw) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    const std::optional<int64_t> time = draw();
    EXPECT_TRUE((time.has_value() ? builder.Append(*time) : builder.AppendNull()).ok());
  }
  const auto column = builder.Finish().ValueOrDie();
  if (table->GetColumnByName(name) == nullptr) {
    return table->AddColumn(table->num_columns(), name, column).ValueOrDie();
  }
  return ReplaceColumn(*table, name, name, column).ValueOrDie();
}

/// Replaces the times of the records and points of a batch. A log record that gets no time gets a
/// time of observation.
inline otap::BatchPtr WithTimes(const otap::Batch& batch, const Draw& draw) {
  otap::BatchBuilder builder(batch.signal());
  for (const otap::TableInfo& info : otap::AllTables()) {
    auto table = batch.table(info.kind);
    if (table != nullptr && info.kind == otap::TableKind::kLogs) {
      table = WithColumn(table, "time_unix_nano", draw);
      const auto always = [&] { return std::optional(draw().value_or(kMidnight)); };
      table = WithColumn(table, "observed_time_unix_nano", always);
    } else if (table != nullptr && info.kind == otap::TableKind::kSpans) {
      table = WithColumn(table, "start_time_unix_nano",
                         [&] { return std::optional(draw().value_or(kMidnight)); });
    } else if (table != nullptr && info.parent == otap::TableKind::kUnivariateMetrics &&
               !info.is_attributes) {
      table = WithColumn(table, "time_unix_nano", draw);
    }
    if (table != nullptr) {
      EXPECT_TRUE(builder.Set(info.kind, table).ok());
    }
  }
  return builder.Build();
}

inline std::vector<otap::BatchPtr> BatchesWithTimes(int count, std::optional<otap::Signal> signal,
                                                    const Draw& draw, RandomEngine& random,
                                                    RandomBatchOptions shape = {}) {
  shape.valueless_exemplars = false;
  shape.root_rows = 25;
  std::vector<otap::BatchPtr> batches;
  for (const otap::BatchPtr& batch : RandomBatches(count, signal, shape, random)) {
    batches.push_back(WithTimes(*batch, draw));
  }
  return batches;
}

/// What a writer has told.
class WriteOutcomes final : public lake::WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t>) override {}
  void OnClosed(std::span<const uint64_t> batches, lake::CloseReason reason,
                const lake::FileCounts&, const Status& status) override {
    reasons.push_back(reason);
    num_acked += status.ok() ? std::ssize(batches) : 0;
    num_failed += status.ok() ? 0 : std::ssize(batches);
  }
  void OnRefused(uint64_t, const Status& status) override { ADD_FAILURE() << status; }

  std::vector<lake::CloseReason> reasons;
  int64_t num_acked = 0;
  int64_t num_failed = 0;
};

/// Writes batches in folders of hours; files are closed after every `per_set` of them.
inline WriteOutcomes WriteHours(lake::FileStore* store, const std::vector<otap::BatchPtr>& batches,
                                size_t per_set, lake::TimeLevels levels = lake::TimeLevels::kHour) {
  WriteOutcomes outcomes;
  lake::SignalWriter::Settings settings;
  settings.options.time_levels = levels;
  settings.unix_millis = [time = int64_t{1'756'000'000'000}]() mutable { return time++; };
  std::map<otap::Signal, std::unique_ptr<lake::SignalWriter>> writers;
  for (size_t i = 0; i < batches.size(); ++i) {
    auto& writer = writers[batches[i]->signal()];
    if (writer == nullptr) {
      writer =
          std::make_unique<lake::SignalWriter>(store, batches[i]->signal(), settings, &outcomes);
    }
    writer->Add(batches[i], i);
    if (i % per_set == per_set - 1) {
      writer->Close(lake::CloseReason::kAge);
    }
  }
  for (auto& [signal, writer] : writers) {
    writer->Close(lake::CloseReason::kEnd);
  }
  return outcomes;
}

}  // namespace df::testing
