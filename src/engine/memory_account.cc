#include "engine/memory_account.h"

namespace df::engine {

std::string_view Name(MemoryPressure pressure) {
  switch (pressure) {
    case MemoryPressure::kNormal:
      return "normal";
    case MemoryPressure::kSoft:
      return "soft";
    case MemoryPressure::kHard:
      return "hard";
  }
  return "";
}

runtime::Task<> MemoryAccount::WaitForRoom(int64_t size_bytes) {
  struct Awaiter : RoomWaiter {
    using RoomWaiter::RoomWaiter;
    bool await_ready() { return account->Admits(size_bytes); }
    void await_suspend(std::coroutine_handle<> coroutine) {
      handle = coroutine;
      is_counted = true;
      account->waiting_bytes_ += size_bytes;
      account->waiters_.push_back(*this);
    }
    void await_resume() {}
  };
  Awaiter awaiter(this, size_bytes);
  co_await awaiter;
}

void MemoryAccount::Release(int64_t size_bytes) {
  used_bytes_ -= size_bytes;
  UpdatePressure();
  // First come, first served; what is let go is charged already, so the next ones see it.
  while (!waiters_.empty()) {
    auto& waiter = static_cast<RoomWaiter&>(waiters_.front());
    // All but what waits; the first of those goes on when that is nothing.
    if (used_bytes_ > limits_.soft_bytes && used_bytes_ > waiting_bytes_) {
      return;
    }
    waiters_.pop_front();
    waiter.is_counted = false;
    waiting_bytes_ -= waiter.size_bytes;
    loop_->Schedule(waiter);
  }
}

}  // namespace df::engine
