// Numbers that look random and are the same everywhere.
#pragma once

#include <cstdint>
#include <vector>

namespace df::nodes::receivers::traffic_generator {

/// Source: SplitMix64, by Sebastiano Vigna, public domain.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15U;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }

  /// A number below `bound` (> 0, < 2^32).
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>((Next() >> 32U) * bound >> 32U); }

  /// True once in `times`.
  bool OneIn(uint32_t times) { return Below(times) == 0; }

  /// From 0 to 1, 1 left out.
  double Fraction() { return static_cast<double>(Next() >> 11U) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

/// Draws ranks of which the r-th is 1/r^exponent times as frequent as the first.
class Zipf {
 public:
  /// `count` > 0.
  Zipf(int64_t count, double exponent);

  /// Returns a rank from 0 to count - 1.
  uint32_t Draw(Random* random) const;

 private:
  std::vector<double> cumulative_;
};

}  // namespace df::nodes::receivers::traffic_generator
