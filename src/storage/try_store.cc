#include "storage/try_store.h"

#include <algorithm>
#include <utility>

#include "storage/store.h"

namespace df::storage {

Status TryStore(const StoreUri& uri, StoreOptions options, std::chrono::nanoseconds timeout) {
  options.retry.max_retries = 0;
  options.retry.retry_timeout = std::min(options.retry.retry_timeout, timeout);
  ARROW_ASSIGN_OR_RAISE(const auto store, Store::Make(uri, std::move(options)));
  return store->Exists(uri.path).status();
}

}  // namespace df::storage
