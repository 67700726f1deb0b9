#include "delivery/request_limit.h"

namespace df::delivery {

int64_t RequestLimit::Refuse(const SizeRefusal& refusal, int64_t request_bytes, bool can_be_cut) {
  // A limit that the request kept counts other bytes than ours, or is made up.
  const bool says_limit = refusal.max_bytes.has_value() && *refusal.max_bytes < request_bytes;
  const int64_t allowed = says_limit   ? *refusal.max_bytes
                          : can_be_cut ? request_bytes / 2
                                       : request_bytes - 1;
  bytes_ = std::min(bytes_, std::max(allowed, kLeastLearned));
  return std::max<int64_t>(allowed, 1);
}

}  // namespace df::delivery
