// Memory that somebody holds of a reader's budget.
#pragma once

#include <cstdint>
#include <utility>

#include "lake/scan/memory_budget.h"

namespace df::lake {

/// Charges bytes to a budget as long as it lives. Owner: borrows the budget.
class Reservation {
 public:
  explicit Reservation(MemoryBudget* budget) : budget_(budget) {}
  Reservation(Reservation&& other) noexcept
      : budget_(other.budget_), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  Reservation& operator=(Reservation&&) = delete;
  ~Reservation() { Set(0); }

  int64_t size_bytes() const { return size_bytes_; }

  /// Charges so many bytes from now on.
  void Set(int64_t size_bytes) {
    if (size_bytes > size_bytes_) {
      budget_->Reserve(size_bytes - size_bytes_);
    } else if (size_bytes < size_bytes_) {
      budget_->Release(size_bytes_ - size_bytes);
    }
    size_bytes_ = size_bytes;
  }

 private:
  MemoryBudget* budget_;
  int64_t size_bytes_ = 0;
};

}  // namespace df::lake
