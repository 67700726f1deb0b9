#include "nodes/exporters/perf/age_histogram.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <arrow/array.h>

namespace df::nodes::exporters::perf {
namespace {

/// Replayed records have ages of weeks, which say nothing about a pipeline.
constexpr int64_t kNotRecent = 24LL * 3600 * 1'000'000'000;

void AddColumn(const otap::Batch& batch, otap::TableKind table, std::string_view column,
               int64_t now, AgeCounts* ages) {
  if (batch.table(table) == nullptr) {
    return;
  }
  const auto array = batch.table(table)->GetColumnByName(std::string(column));
  if (array == nullptr || array->type_id() != arrow::Type::TIMESTAMP) {
    return;
  }
  const auto& times = static_cast<const arrow::TimestampArray&>(*array);
  for (int64_t row = 0; row < times.length(); ++row) {
    if (times.IsNull(row) || times.Value(row) == 0) {
      continue;
    }
    const int64_t time = times.Value(row);
    if (time > now || time <= now - kNotRecent) {
      ++ages->num_not_recent;
    } else {
      ages->recent.Add(now - time);
    }
  }
}

}  // namespace

int64_t AgeHistogram::UpperEnd(size_t bucket) {
  if (bucket < (1U << kSubBits)) {
    return static_cast<int64_t>(bucket);
  }
  const size_t shift = (bucket >> kSubBits) - 1;
  const uint64_t lower = ((bucket & ((1U << kSubBits) - 1)) + (1U << kSubBits)) << shift;
  return static_cast<int64_t>(lower + (uint64_t{1} << shift) - 1);
}

int64_t AgeHistogram::Percentile(double share) const {
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(count_)));
  int64_t seen = 0;
  for (size_t bucket = 0; bucket < kNumBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank && seen > 0) {
      return std::min(UpperEnd(bucket), max_);
    }
  }
  return 0;
}

AgeHistogram& AgeHistogram::operator+=(const AgeHistogram& other) {
  for (size_t bucket = 0; bucket < kNumBuckets; ++bucket) {
    buckets_[bucket] += other.buckets_[bucket];
  }
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  return *this;
}

AgeCounts& AgeCounts::operator+=(const AgeCounts& other) {
  recent += other.recent;
  num_not_recent += other.num_not_recent;
  return *this;
}

void AddAges(const otap::Batch& batch, int64_t now, AgeCounts* ages) {
  using otap::TableKind;
  switch (batch.signal()) {
    case otap::Signal::kLogs:
      AddColumn(batch, TableKind::kLogs, "time_unix_nano", now, ages);
      break;
    case otap::Signal::kTraces:
      AddColumn(batch, TableKind::kSpans, "start_time_unix_nano", now, ages);
      break;
    case otap::Signal::kMetrics:
      for (const TableKind points :
           {TableKind::kNumberDataPoints, TableKind::kSummaryDataPoints,
            TableKind::kHistogramDataPoints, TableKind::kExpHistogramDataPoints}) {
        AddColumn(batch, points, "time_unix_nano", now, ages);
      }
      break;
  }
}

}  // namespace df::nodes::exporters::perf
