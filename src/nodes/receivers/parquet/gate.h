// What the loops of a replay ask before each batch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "engine/held_sources.h"
#include "runtime/clock.h"

namespace df::nodes::receivers::parquet {

/// Lets every batch through, or, while it is closed, only those that it is told to. Calls: from any
/// thread.
class Gate {
 public:
  /// `now`: for its status. One that is closed already stays so, and lets nothing more through.
  void Close(runtime::WallTime now);
  void Open();
  /// Lets so many more batches through while it is closed.
  void Let(int64_t num_batches);

  /// Tells whether a batch may go now; while it is closed, one less may then.
  bool TryPass();

  bool is_closed() const;
  int64_t num_left() const;  ///< that may go yet while it is closed
  engine::HoldStatus status() const;

  /// Has `opened` called, by any thread, whenever TryPass may say yes after it has said no; as long
  /// as it lives.
  class Waiter {
   public:
    Waiter(Gate* gate, std::function<void()> opened);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   private:
    Gate* gate_;
    uint64_t number_;
  };

 private:
  void Tell();

  mutable std::mutex mutex_;
  std::optional<runtime::WallTime> closed_;  ///< since when
  int64_t num_left_ = 0;
  int64_t num_let_ = 0;
  uint64_t last_number_ = 0;
  std::map<uint64_t, std::function<void()>> waiters_;
};

}  // namespace df::nodes::receivers::parquet
