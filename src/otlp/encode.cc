#include "otlp/encode.h"

namespace df::otlp {

EncodeStats& EncodeStats::operator+=(const EncodeStats& other) {
  items += other.items;
  invalid_values += other.invalid_values;
  unknown_types += other.unknown_types;
  unknown_metrics += other.unknown_metrics;
  unreachable_points += other.unreachable_points;
  replaced_texts += other.replaced_texts;
  return *this;
}

bool EncodeStats::is_exact() const {
  return invalid_values + unknown_types + unknown_metrics + unreachable_points + replaced_texts ==
         0;
}

}  // namespace df::otlp
