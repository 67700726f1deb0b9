#include "nodes/receivers/parquet/gate.h"

#include <utility>

namespace df::nodes::receivers::parquet {

/// Needs the lock: a waiter that ends is not called any more.
void Gate::Tell() {
  for (const auto& [number, opened] : waiters_) {
    opened();
  }
}

void Gate::Close(runtime::WallTime now) {
  const std::lock_guard lock(mutex_);
  num_left_ = 0;
  if (!closed_.has_value()) {
    closed_ = now;
    num_let_ = 0;
  }
}

void Gate::Open() {
  const std::lock_guard lock(mutex_);
  closed_ = std::nullopt;
  num_left_ = 0;
  num_let_ = 0;
  Tell();
}

void Gate::Let(int64_t num_batches) {
  const std::lock_guard lock(mutex_);
  if (closed_.has_value() && num_batches > 0) {
    num_left_ += num_batches;
    Tell();
  }
}

bool Gate::TryPass() {
  const std::lock_guard lock(mutex_);
  if (!closed_.has_value()) {
    return true;
  }
  if (num_left_ == 0) {
    return false;
  }
  --num_left_;
  ++num_let_;
  return true;
}

bool Gate::is_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_.has_value();
}

int64_t Gate::num_left() const {
  const std::lock_guard lock(mutex_);
  return num_left_;
}

engine::HoldStatus Gate::status() const {
  const std::lock_guard lock(mutex_);
  return {.is_held = closed_.has_value(),
          .since = closed_.value_or(runtime::WallTime()),
          .num_batches_let = num_let_};
}

Gate::Waiter::Waiter(Gate* gate, std::function<void()> opened) : gate_(gate) {
  const std::lock_guard lock(gate_->mutex_);
  number_ = ++gate_->last_number_;
  gate_->waiters_.emplace(number_, std::move(opened));
}

Gate::Waiter::~Waiter() {
  const std::lock_guard lock(gate_->mutex_);
  gate_->waiters_.erase(number_);
}

}  // namespace df::nodes::receivers::parquet
