#include "storage/store_metrics.h"

#include <string>

#include "telemetry/names.h"

namespace df::storage {

namespace names = telemetry::names;

StoreMetrics::StoreMetrics(telemetry::MetricSet* set)
    : retries_(&set->AddCounter(names::kStoreRetries)),
      throttled_(&set->AddCounter(names::kStoreThrottled)),
      failed_(&set->AddCounter(names::kStoreFailed)),
      fetched_(&set->AddCounter(names::kStoreFetchedSize)),
      used_(&set->AddCounter(names::kStoreUsedSize)),
      written_(&set->AddCounter(names::kStoreWrittenSize)) {
  for (size_t i = 0; i < kOperationNames.size(); ++i) {
    const telemetry::Attributes attributes{
        {std::string(names::kOperation), std::string(kOperationNames[i])}};
    requests_[i] = &set->AddCounter(names::kStoreRequests, attributes);
    time_[i] = &set->AddCounter(names::kStoreRequestTime, attributes);
  }
}

void StoreMetrics::Add(const StoreCounts& added) {
  for (size_t i = 0; i < requests_.size(); ++i) {
    requests_[i]->Add(added.requests[i]);
    time_[i]->Add(added.nanos[i]);
  }
  retries_->Add(added.retries);
  throttled_->Add(added.throttled);
  failed_->Add(added.failed);
  fetched_->Add(added.bytes_fetched);
  used_->Add(added.bytes_used);
  written_->Add(added.bytes_written);
}

}  // namespace df::storage
