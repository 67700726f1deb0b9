#include "select/trace_ids.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace df::select {

TraceIds::TraceIds(std::vector<TraceId> ids) : ids_(std::move(ids)) {
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
}

bool TraceIds::Has(std::string_view id) const {
  TraceId wanted;
  if (id.size() != sizeof(wanted)) {
    return false;
  }
  std::memcpy(wanted.data(), id.data(), sizeof(wanted));
  return std::binary_search(ids_.begin(), ids_.end(), wanted);
}

}  // namespace df::select
