#include "fuzz/cost_oracle.h"

#include <cstdio>
#include <ctime>

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             size_t),
                                                         void (*free_hook)(const volatile void*));

namespace df::fuzz {
namespace {

thread_local int64_t allocated_bytes = 0;

int64_t AllocatedBytes() {
  [[maybe_unused]] static const int hook = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, size_t size) { allocated_bytes += static_cast<int64_t>(size); },
      [](const volatile void*) {});
  return allocated_bytes;
}

int64_t ThreadNanoseconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

/// The input that came nearest to what it may cost. Says so when the process ends, which is what
/// the bounds are set by.
class Dearest {
 public:
  explicit Dearest(const char* what) : what_(what) {}
  ~Dearest() {
    std::fprintf(stderr, "dearest input: %lld bytes cost %lld %s, %.1f %% of what is allowed\n",
                 static_cast<long long>(input_bytes_), static_cast<long long>(cost_), what_,
                 100 * share_);
  }
  Dearest(const Dearest&) = delete;
  Dearest& operator=(const Dearest&) = delete;

  void Hold(int64_t cost, int64_t fixed, int64_t per_byte, int64_t input_bytes) {
    const int64_t allowed = fixed + per_byte * input_bytes;
    const double share = static_cast<double>(cost) / static_cast<double>(allowed);
    if (share > share_) {
      share_ = share;
      cost_ = cost;
      input_bytes_ = input_bytes;
    }
    if (cost > allowed) {
      std::fprintf(stderr, "an input of %lld bytes cost %lld %s, at most %lld are allowed\n",
                   static_cast<long long>(input_bytes), static_cast<long long>(cost), what_,
                   static_cast<long long>(allowed));
      __builtin_trap();
    }
  }

 private:
  const char* what_;
  double share_ = 0;
  int64_t cost_ = 0;
  int64_t input_bytes_ = 0;
};

}  // namespace

CostOracle::CostOracle(size_t input_bytes, const CostLimits& limits)
    : input_bytes_(static_cast<int64_t>(input_bytes)),
      limits_(limits),
      allocated_before_(AllocatedBytes()),
      nanoseconds_before_(ThreadNanoseconds()) {}

CostOracle::~CostOracle() {
  static Dearest of_time("ns of CPU time");
  static Dearest of_memory("allocated bytes");
  of_time.Hold(ThreadNanoseconds() - nanoseconds_before_, limits_.nanoseconds,
               limits_.nanoseconds_per_byte, input_bytes_);
  of_memory.Hold(AllocatedBytes() - allocated_before_, limits_.bytes, limits_.bytes_per_byte,
                 input_bytes_);
}

}  // namespace df::fuzz
