#include "otap_wire/budget_pool.h"

#include <limits>
#include <string>

namespace df::otap_wire {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

thread_local int64_t remaining_bytes = kUnlimited;
thread_local bool is_budget_exceeded = false;

class CountingPool : public arrow::MemoryPool {
 public:
  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    ARROW_RETURN_NOT_OK(Spend(size));
    return pool_->Allocate(size, alignment, out);
  }
  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** ptr) override {
    ARROW_RETURN_NOT_OK(Spend(new_size - old_size));
    return pool_->Reallocate(old_size, new_size, alignment, ptr);
  }
  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override {
    pool_->Free(buffer, size, alignment);
  }
  int64_t bytes_allocated() const override { return pool_->bytes_allocated(); }
  int64_t total_bytes_allocated() const override { return pool_->total_bytes_allocated(); }
  int64_t num_allocations() const override { return pool_->num_allocations(); }
  std::string backend_name() const override { return pool_->backend_name(); }

 private:
  static arrow::Status Spend(int64_t size) {
    if (remaining_bytes == kUnlimited || size <= 0) {
      return arrow::Status::OK();
    }
    if (size > remaining_bytes) {
      is_budget_exceeded = true;
      return arrow::Status::OutOfMemory("found ", size, " bytes, expected at most the ",
                                        remaining_bytes, " that are left of the limit");
    }
    remaining_bytes -= size;
    return arrow::Status::OK();
  }

  arrow::MemoryPool* pool_ = arrow::default_memory_pool();
};

}  // namespace

arrow::MemoryPool* BudgetPool() {
  // Never destroyed: buffers may be freed after everything else of the process.
  static auto* const pool = new CountingPool;
  return pool;
}

Budget::Budget(int64_t size_bytes) {
  remaining_bytes = size_bytes;
  is_budget_exceeded = false;
}
Budget::~Budget() { remaining_bytes = kUnlimited; }
bool Budget::is_exceeded() const { return is_budget_exceeded; }

}  // namespace df::otap_wire
