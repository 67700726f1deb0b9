// Writes batches as star-schema Parquet.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/node.h"
#include "lake/write/file_store.h"
#include "nodes/exporters/parquet/config.h"
#include "nodes/exporters/parquet/lake_worker.h"
#include "nodes/exporters/parquet/seal_worker.h"
#include "runtime/event_loop.h"
#include "storage/store_metrics.h"

namespace df::nodes::exporters::parquet {

/// One instance. The loop hands batches to a thread that encodes and writes them, and completes
/// their tokens when it hears what became of them: ack once the files of a batch are durable and
/// visible, nack where they could not be written (retryable) or the batch is malformed (for good).
class ParquetExporter final : public engine::Exporter {
 public:
  /// Makes the store that a configuration names.
  using StoreMaker = std::function<Result<std::unique_ptr<lake::FileStore>>(const ParquetConfig&)>;

  ParquetExporter(ParquetConfig config, const engine::InstanceInfo& info,
                  StoreMaker make_store = MakeStore);
  ~ParquetExporter() override;

  /// Errors: kind config, when there is no file system for the URI.
  Status Start(engine::Effects& effects) override;
  /// Waits while the queue of the thread is full.
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  /// Closes files that are too old, and files that everybody waits for; merges what is staged.
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  /// Closes all files, merges what is staged, and waits for both.
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  void OnMemoryPressure(engine::MemoryPressure pressure) override;
  void OnCollect() override;
  engine::NodeReport Report() override;

  /// Whether the thread has done everything that it was told to.
  bool is_settled() const { return num_orders_ == 0; }

 private:
  /// A batch that has no outcome yet.
  struct OpenBatch {
    engine::CompletionToken token;
    engine::MemoryCharge charge;
    int64_t queued_bytes = 0;  ///< while it is in the queue
    int64_t held_bytes = 0;    ///< until it is encoded
  };
  struct Arrival {
    uint64_t number;
    runtime::SteadyTime time;
  };
  /// Reports come by way of the loop, where this may be gone already.
  struct Mailbox {
    ParquetExporter* owner;
  };
  struct Metrics {
    telemetry::Counter* files = nullptr;
    telemetry::Counter* rows = nullptr;
    telemetry::Counter* bytes = nullptr;
    std::array<telemetry::Counter*, lake::kNumCloseReasons> flushes{};
    telemetry::Counter* merged_sets = nullptr;
    telemetry::Counter* failed_merges = nullptr;
    telemetry::Gauge* staged_sets = nullptr;
    telemetry::Gauge* open_batches = nullptr;
    telemetry::Gauge* held_bytes = nullptr;
    telemetry::Counter* seals = nullptr;
    telemetry::Counter* failed_seals = nullptr;
  };

  void AddMetrics(engine::Effects& effects);
  void Take(WorkReport report);
  void TakeClosed(const ClosedFiles& closed);
  void TakeMerged(const MergedFiles& merged);
  void AddWritten(const lake::FileCounts& counts);
  /// Sets the timer that merges what is staged, unless it is set.
  void SetRollTimer(engine::Effects& effects);
  /// Makes the thread that seals, in one instance of the node.
  Status StartSealing(engine::Effects& effects);
  void LookForSeals(engine::Effects& effects);
  void TakeSealed(const lake::Sealer::Outcome& outcome);
  void Release(OpenBatch* batch);
  void Complete(const BatchDone& done);
  /// The thread is told something by `order`, and reports once.
  void Tell(const std::function<void(LakeWorker&)>& order);
  /// The arrivals of a signal that have no outcome.
  std::deque<Arrival>& Waiting(otap::Signal signal);
  /// Closes files that hold a batch which came at that time or before.
  void CloseOlder(otap::Signal signal, runtime::SteadyTime time, lake::CloseReason reason);
  /// Sets the timer by the oldest arrival.
  void SetTimer(engine::Effects& effects);

  ParquetConfig config_;
  engine::InstanceInfo info_;
  StoreMaker make_store_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<LakeWorker> worker_;
  std::unique_ptr<runtime::Wakeup> progress_;
  std::unique_ptr<SealWorker> seal_worker_;  ///< null where nothing is sealed
  int64_t next_seal_nanos_ = 0;              ///< when it is to look; INT64_MAX while it does
  bool has_recovered_ = false;               ///< what an earlier process left unfinished is gone
  bool is_roll_due_ = false;                 ///< the timer that merges what is staged is set
  uint64_t next_number_ = 0;
  std::map<uint64_t, OpenBatch> open_;
  /// By signal, oldest first; those whose files have been told to close are not in it.
  std::array<std::deque<Arrival>, otap::kAllSignals.size()> arrivals_;
  int64_t queued_bytes_ = 0;
  int64_t num_staged_ = 0;  ///< sets that wait to be merged
  int64_t num_orders_ = 0;  ///< without report
  Metrics metrics_;
  std::optional<storage::StoreMetrics> requests_;  ///< where files go to an object store
  storage::StoreCounts requests_counted_;
  storage::StoreCounts seal_requests_counted_;

  lake::FileCounts written_;
  int64_t num_acked_ = 0;
  int64_t num_nacked_ = 0;
  int64_t num_refused_ = 0;  ///< of these, batches that would be refused again
  std::string first_error_;
  std::optional<runtime::Cancellation::Subscription> on_drain_;
};

}  // namespace df::nodes::exporters::parquet
