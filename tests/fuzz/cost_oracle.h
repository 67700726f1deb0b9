// Holds an input to the time and memory that its size allows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace df::fuzz {

/// What an input may cost. How the bounds were set: under ASan, half a million inputs of up to
/// 1 KiB took at most 7 ms and 0.5 MB. Made ones of 58 to 131 KB took at most 6 us and 2,800 bytes
/// a byte where they are many small requests, 5 us and 220 bytes a byte where they are one. The
/// time has room for another sanitizer and a slower machine. Of the largest inputs, what grows with
/// the square of their size is above the bounds. A process tells at its end how near its dearest
/// input came.
struct CostLimits {
  int64_t nanoseconds = 200'000'000;  ///< CPU time, whatever the size
  int64_t nanoseconds_per_byte = 20'000;
  int64_t bytes = 16 << 20;  ///< allocated, freed or not, whatever the size
  int64_t bytes_per_byte = 6000;
};

/// Stands for one input: counts from its construction, and ends the process at its end when the
/// input cost more than its limits. Thread: the one that runs the input; what others do is not
/// counted.
class CostOracle {
 public:
  explicit CostOracle(size_t input_bytes, const CostLimits& limits = {});
  ~CostOracle();
  CostOracle(const CostOracle&) = delete;
  CostOracle& operator=(const CostOracle&) = delete;

 private:
  int64_t input_bytes_;
  CostLimits limits_;
  int64_t allocated_before_;
  int64_t nanoseconds_before_;
};

}  // namespace df::fuzz
