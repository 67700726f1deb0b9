// The thread that seals days and hours.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "lake/write/sealer.h"
#include "runtime/worker_thread.h"

namespace df::nodes::exporters::parquet {

/// Seals apart from the thread that writes: footers of an hour are many, and senders wait for acks.
/// Owner: the destructor lets it finish the file that it reads.
class SealWorker {
 public:
  /// `report` is called on the thread, once for each Look.
  SealWorker(lake::Sealer sealer, std::optional<int> core,
             std::function<void(lake::Sealer::Outcome)> report);
  ~SealWorker();

  /// Has it seal what is due by then. Calls: from any thread; it does not wait.
  void Look(int64_t now_nanos);

  /// What requests of an object store have cost so far.
  storage::StoreCounts requests() const { return sealer_.store().counts(); }

 private:
  void Run();
  bool is_stopped();

  lake::Sealer sealer_;
  std::function<void(lake::Sealer::Outcome)> report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<int64_t> now_nanos_;  ///< of the look that is asked for
  bool is_stopped_ = false;
  runtime::WorkerThread thread_;
};

}  // namespace df::nodes::exporters::parquet
