#include "storage/store_counters.h"

namespace df::storage {

StoreCounts StoreCounts::operator-(const StoreCounts& earlier) const {
  StoreCounts added = *this;
  for (size_t i = 0; i < requests.size(); ++i) {
    added.requests[i] -= earlier.requests[i];
    added.nanos[i] -= earlier.nanos[i];
  }
  added.retries -= earlier.retries;
  added.throttled -= earlier.throttled;
  added.failed -= earlier.failed;
  added.bytes_fetched -= earlier.bytes_fetched;
  added.bytes_used -= earlier.bytes_used;
  added.bytes_written -= earlier.bytes_written;
  return added;
}

StoreCounts StoreCounters::Now() const {
  StoreCounts counts;
  for (size_t i = 0; i < requests_.size(); ++i) {
    counts.requests[i] = requests_[i];
    counts.nanos[i] = nanos_[i];
  }
  counts.retries = num_retries;
  counts.throttled = num_throttled;
  counts.failed = num_failed;
  counts.bytes_fetched = bytes_fetched;
  counts.bytes_used = bytes_used;
  counts.bytes_written = bytes_written;
  return counts;
}

}  // namespace df::storage
