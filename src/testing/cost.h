// What a call costs, for tests of inputs from outside: cost has to grow as the input does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace df::testing {

struct Cost {
  double cpu_seconds = 0;       ///< of this thread
  int64_t allocated_bytes = 0;  ///< of all calls together; 0 unless a sanitizer counts them
};

/// Returns the least of what several calls cost.
Cost CostOf(const std::function<void()>& call);

/// Says why a cost is not linear; "" where it is. `call(n)` makes the input of size n and returns
/// the call to measure. A cost that grows with the square is 16 times as large at 4 n; what is
/// allowed is 8 times, so that a busy machine fails no test.
std::string WhyNotLinear(int64_t n, const std::function<std::function<void()>(int64_t)>& call);

}  // namespace df::testing
