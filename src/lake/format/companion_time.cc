#include "lake/format/companion_time.h"

#include <arrow/array/array_primitive.h>

namespace df::lake {

Result<std::shared_ptr<arrow::Array>> TakeCompanion(const std::shared_ptr<arrow::Array>& times,
                                                    const std::shared_ptr<arrow::Array>& nanos,
                                                    int64_t nanos_per_unit) {
  const auto differ = [] { return Status::Invalid("differs from its nanoseconds"); };
  if (times == nullptr && nanos == nullptr) {
    return nullptr;
  }
  if (times == nullptr || nanos == nullptr) {
    return differ();
  }
  const auto& coarse = static_cast<const arrow::TimestampArray&>(*times);
  const auto& fine = static_cast<const arrow::TimestampArray&>(*nanos);
  for (int64_t row = 0; row < coarse.length(); ++row) {
    if (coarse.IsNull(row) != fine.IsNull(row)) {
      return differ();
    }
    int64_t distance = 0;
    if (coarse.IsValid(row) &&
        (__builtin_sub_overflow(fine.Value(row), coarse.Value(row), &distance) ||
         distance >= nanos_per_unit || distance <= -nanos_per_unit)) {
      return differ();
    }
  }
  return nanos;
}

}  // namespace df::lake
