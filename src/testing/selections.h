// Selections of random records, for tests.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <arrow/api.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "otap/rows.h"
#include "otap/schema.h"
#include "select/selector.h"
#include "testing/random_batch.h"

namespace df::testing {

/// Times of all items, each once, in order.
inline std::vector<int64_t> TimesOf(const std::vector<otap::BatchPtr>& batches) {
  std::set<int64_t> times;
  for (const otap::BatchPtr& batch : batches) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      const bool is_points =
          info.parent == otap::TableKind::kUnivariateMetrics && !info.is_attributes;
      const bool has_times = is_points || (info.kind == otap::RootTable(batch->signal()) &&
                                           batch->signal() != otap::Signal::kMetrics);
      if (has_times && batch->table(info.kind) != nullptr) {
        const auto found = select::EventTimes(*batch->table(info.kind), info.kind);
        times.insert(found.begin(), found.end());
      }
    }
  }
  return {times.begin(), times.end()};
}

inline std::vector<otap::BatchPtr> SelectInMemory(const std::vector<otap::BatchPtr>& batches,
                                                  const select::Selector& selector) {
  std::vector<otap::BatchPtr> selected;
  for (const otap::BatchPtr& batch : batches) {
    auto kept = selector.Select(batch).ValueOrDie();
    if (kept.batch != nullptr && kept.batch->root() != nullptr) {
      selected.push_back(std::move(kept.batch));
    }
  }
  return selected;
}

inline std::optional<select::Condition> Compile(std::string_view text, otap::Signal signal) {
  return select::Condition::Compile(text, signal).ValueOrDie();
}

/// Returns a trace id of the batches, or one that none has.
inline std::string DrawTraceId(const std::vector<otap::BatchPtr>& batches, RandomEngine& random) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const otap::BatchPtr& batch = batches[random() % batches.size()];
    const auto ids = otap::FindArray(batch->root(), "trace_id");
    if (ids != nullptr && ids->type_id() == arrow::Type::FIXED_SIZE_BINARY) {
      const auto& found = static_cast<const arrow::FixedSizeBinaryArray&>(*ids);
      return std::string(
          found.GetView(static_cast<int64_t>(random() % static_cast<uint64_t>(found.length()))));
    }
  }
  return std::string(16, 'x');
}

inline select::Wishes DrawWishes(const std::vector<otap::BatchPtr>& batches, RandomEngine& random) {
  select::Wishes wishes;
  const std::vector<int64_t> times = TimesOf(batches);
  if (random() % 2 == 0) {
    wishes.time.from = times[random() % times.size()];
  }
  if (random() % 2 == 0) {
    wishes.time.to = times[random() % times.size()];
  }
  if (random() % 4 == 0) {
    wishes.trace_ids =
        std::unordered_set<std::string>{DrawTraceId(batches, random), DrawTraceId(batches, random)};
  }
  if (random() % 2 == 0) {
    const auto n = random() % 20;
    wishes.where[0] =
        Compile(fmt::format("severity_number >= {} or IsMatch(body.string, \"a\")", n),
                otap::Signal::kLogs);
    wishes.where[1] = Compile(fmt::format("kind == {} or Len(attributes) > {}", n % 5, 1 + n % 3),
                              otap::Signal::kTraces);
    wishes.where[2] =
        Compile(fmt::format("metric.type == {} or flags > 0", 1 + n % 5), otap::Signal::kMetrics);
  } else if (random() % 2 == 0) {
    wishes.where[0] = Compile("severity_number < 9", otap::Signal::kLogs);
    wishes.where[1] = Compile("IsRootSpan()", otap::Signal::kTraces);
    wishes.where[2] = Compile("Len(resource.attributes) > 1", otap::Signal::kMetrics);
  }
  return wishes;
}

/// Times, texts and ids of log records in the order of their times.
inline otap::BatchPtr LogsInOrder(int64_t first, int64_t num_rows, RandomEngine& random) {
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                arrow::default_memory_pool());
  arrow::FixedSizeBinaryBuilder traces(arrow::fixed_size_binary(16));
  arrow::FixedSizeBinaryBuilder spans(arrow::fixed_size_binary(8));
  arrow::Int32Builder severities;
  for (int64_t row = first; row < first + num_rows; ++row) {
    const std::array<uint64_t, 3> ids = {random(), random(), random()};
    EXPECT_TRUE(times.Append(1'000'000 + row * 10).ok());
    EXPECT_TRUE(traces.Append(reinterpret_cast<const uint8_t*>(ids.data())).ok());
    EXPECT_TRUE(spans.Append(reinterpret_cast<const uint8_t*>(&ids[2])).ok());
    EXPECT_TRUE(severities.Append(static_cast<int32_t>(random() % 24)).ok());
  }
  const arrow::ArrayVector columns = {times.Finish().ValueOrDie(), traces.Finish().ValueOrDie(),
                                      spans.Finish().ValueOrDie(),
                                      severities.Finish().ValueOrDie()};
  const arrow::FieldVector fields = {arrow::field("time_unix_nano", columns[0]->type()),
                                     arrow::field("trace_id", columns[1]->type()),
                                     arrow::field("span_id", columns[2]->type()),
                                     arrow::field("severity_number", columns[3]->type())};
  otap::BatchBuilder builder(otap::Signal::kLogs);
  EXPECT_TRUE(builder
                  .Set(otap::TableKind::kLogs,
                       arrow::RecordBatch::Make(arrow::schema(fields), num_rows, columns))
                  .ok());
  return builder.Build();
}

}  // namespace df::testing
