#include "nodes/receivers/traffic_generator/random.h"

#include <algorithm>
#include <cmath>

namespace df::nodes::receivers::traffic_generator {

Zipf::Zipf(int64_t count, double exponent) {
  cumulative_.reserve(static_cast<size_t>(count));
  double sum = 0;
  for (int64_t rank = 1; rank <= count; ++rank) {
    sum += std::pow(static_cast<double>(rank), -exponent);
    cumulative_.push_back(sum);
  }
}

uint32_t Zipf::Draw(Random* random) const {
  const double point = random->Fraction() * cumulative_.back();
  const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), point);
  return static_cast<uint32_t>(std::min<std::ptrdiff_t>(
      at - cumulative_.begin(), static_cast<std::ptrdiff_t>(cumulative_.size()) - 1));
}

}  // namespace df::nodes::receivers::traffic_generator
