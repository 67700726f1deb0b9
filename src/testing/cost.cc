#include "testing/cost.h"

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <limits>

#include <fmt/format.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             size_t),
                                                         void (*free_hook)(const volatile void*));
#endif

namespace df::testing {
namespace {

constexpr int kRounds = 3;
constexpr int kMaxGrowth = 8;
// What clocks and buffers of a fixed size may add.
constexpr double kSlackSeconds = 0.01;
constexpr int64_t kSlackBytes = 64 << 10;

thread_local int64_t allocated_bytes = 0;

void CountAllocations() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  [[maybe_unused]] static const int kHook = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, size_t size) { allocated_bytes += static_cast<int64_t>(size); },
      [](const volatile void*) {});
#endif
}

double ThreadSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

Cost CostOf(const std::function<void()>& call) {
  CountAllocations();
  Cost least = {std::numeric_limits<double>::max(), std::numeric_limits<int64_t>::max()};
  for (int round = 0; round < kRounds; ++round) {
    const int64_t bytes_before = allocated_bytes;
    const double before = ThreadSeconds();
    call();
    least.cpu_seconds = std::min(least.cpu_seconds, ThreadSeconds() - before);
    least.allocated_bytes = std::min(least.allocated_bytes, allocated_bytes - bytes_before);
  }
  return least;
}

std::string WhyNotLinear(int64_t n, const std::function<std::function<void()>(int64_t)>& call) {
  const Cost small = CostOf(call(n));
  const Cost large = CostOf(call(4 * n));
  if (large.cpu_seconds > kMaxGrowth * small.cpu_seconds + kSlackSeconds) {
    return fmt::format("{} cost {:.4f} s of CPU, {} cost {:.4f} s", n, small.cpu_seconds, 4 * n,
                       large.cpu_seconds);
  }
  if (large.allocated_bytes > kMaxGrowth * small.allocated_bytes + kSlackBytes) {
    return fmt::format("{} allocated {} bytes, {} allocated {}", n, small.allocated_bytes, 4 * n,
                       large.allocated_bytes);
  }
  return "";
}

}  // namespace df::testing
