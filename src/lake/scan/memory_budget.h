// The bound on what a reader holds.
#pragma once

#include <atomic>
#include <cstdint>

namespace df::lake {

/// Counts decoded bytes against a limit. The limit is soft: whoever reserves first makes room, but
/// one payload always fits, whatever its size. Calls: from the thread of its reader; the totals may
/// be read from any thread.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  void Reserve(int64_t size_bytes) {
    const int64_t now = used_bytes_.fetch_add(size_bytes, std::memory_order_relaxed) + size_bytes;
    if (now > peak_bytes_.load(std::memory_order_relaxed)) {
      peak_bytes_.store(now, std::memory_order_relaxed);
    }
  }
  void Release(int64_t size_bytes) { used_bytes_.fetch_sub(size_bytes, std::memory_order_relaxed); }

  bool Fits(int64_t size_bytes) const { return used_bytes() + size_bytes <= limit_bytes_; }
  int64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  int64_t peak_bytes() const { return peak_bytes_.load(std::memory_order_relaxed); }
  int64_t limit_bytes() const { return limit_bytes_; }

 private:
  int64_t limit_bytes_;
  std::atomic<int64_t> used_bytes_{0};
  std::atomic<int64_t> peak_bytes_{0};
};

}  // namespace df::lake
