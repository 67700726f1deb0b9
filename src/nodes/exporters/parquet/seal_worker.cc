#include "nodes/exporters/parquet/seal_worker.h"

#include <exception>
#include <utility>

#include "base/logging.h"

namespace df::nodes::exporters::parquet {

SealWorker::SealWorker(lake::Sealer sealer, std::optional<int> core,
                       std::function<void(lake::Sealer::Outcome)> report)
    : sealer_(std::move(sealer)), report_(std::move(report)) {
  thread_ = runtime::WorkerThread("parquet-seal", core, [this] { Run(); });
}

SealWorker::~SealWorker() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    changed_.notify_one();
  }
  sealer_.Stop();
  thread_.Join();
}

void SealWorker::Look(int64_t now_nanos) {
  const std::lock_guard lock(mutex_);
  now_nanos_ = now_nanos;
  changed_.notify_one();
}

bool SealWorker::is_stopped() {
  const std::lock_guard lock(mutex_);
  return is_stopped_;
}

void SealWorker::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_stopped_ || now_nanos_.has_value(); });
    if (is_stopped_) {
      return;
    }
    const int64_t now_nanos = *std::exchange(now_nanos_, std::nullopt);
    lock.unlock();
    lake::Sealer::Outcome outcome;
    try {
      outcome = sealer_.Look(now_nanos, [this] { return is_stopped(); });
    } catch (const std::exception& error) {  // an allocation that failed
      outcome.num_failed = 1;
      LogWarning("sealing ended early: {}", error.what());
    }
    report_(outcome);
    lock.lock();
  }
}

}  // namespace df::nodes::exporters::parquet
