// Memory for what a peer's message inflates to, counted against a budget.
#pragma once

#include <cstdint>

#include <arrow/memory_pool.h>

namespace df::otap_wire {

/// Returns a pool of the whole process that takes from Arrow's default pool, and fails with
/// OutOfMemory when the budget of the calling thread is spent. Without a budget it never fails.
/// Owner: the process, so that buffers may outlive whoever read them.
arrow::MemoryPool* BudgetPool();

/// Gives the calling thread a budget for as long as it lives; what is freed is not given back.
class Budget {
 public:
  explicit Budget(int64_t size_bytes);
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Tells whether an allocation was refused.
  bool is_exceeded() const;
};

}  // namespace df::otap_wire
