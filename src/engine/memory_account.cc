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
    explicit Awaiter(MemoryAccount* owner) : account(owner) {}
    MemoryAccount* account;
    bool await_ready() { return account->Admits(size_bytes); }
    void await_suspend(std::coroutine_handle<> coroutine) {
      handle = coroutine;
      account->waiters_.push_back(*this);
    }
    void await_resume() {}
  };
  while (!Admits(size_bytes)) {
    Awaiter awaiter(this);
    awaiter.size_bytes = size_bytes;
    co_await awaiter;
  }
}

void MemoryAccount::Release(int64_t size_bytes) {
  used_bytes_ -= size_bytes;
  UpdatePressure();
  // First come, first served; what is let go is charged already, so the next ones see it.
  while (!waiters_.empty()) {
    auto& waiter = static_cast<RoomWaiter&>(waiters_.front());
    if (!Admits(waiter.size_bytes)) {
      return;
    }
    waiters_.pop_front();
    loop_->Schedule(waiter);
  }
}

}  // namespace df::engine
