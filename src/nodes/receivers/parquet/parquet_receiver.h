// Reads star-schema Parquet on worker threads and sends it as batches.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/node.h"
#include "lake/queue/work_list.h"
#include "lake/read/payload.h"
#include "lake/report/read_report.h"
#include "nodes/receivers/parquet/progress_log.h"
#include "nodes/receivers/parquet/replay.h"
#include "runtime/thread_channel.h"
#include "storage/store_metrics.h"
#include "telemetry/metric_set.h"

namespace df::nodes::receivers::parquet {

/// One instance. Its workers take whole partitions from the list that all instances share, decode
/// and assemble them, and push payloads through a bounded channel; the loop only sends.
class ParquetReceiver final : public engine::Receiver, private engine::CompletionHandler {
 public:
  ParquetReceiver(std::shared_ptr<Replay> replay, engine::InstanceInfo info);
  ~ParquetReceiver() override;

  runtime::Task<Status> Run(engine::Effects& effects) override;
  engine::NodeReport Report() override;
  void OnCollect() override;
  Status OnConfig(const engine::NodeConfigPtr& config) override;

 private:
  /// One partition from when a worker takes it until everything of it has its outcome.
  struct Passage {
    explicit Passage(lake::PartitionWork taken) : work(std::move(taken)) {}
    lake::PartitionWork work;
    std::atomic<int64_t> num_open = 0;  ///< payloads made and without outcome
    std::atomic<bool> is_read = false;  ///< every payload has been made
    std::atomic<bool> is_lost = false;  ///< a node has ended with a payload of it
    /// Something of it was not sent since another process may send it by now.
    std::atomic<bool> has_lost_lease = false;
    std::map<std::string, DeliveryLedger::FilePtr> files;  ///< root files, by path
    bool is_over() const { return is_read && num_open == 0; }
    bool is_done() const { return is_over() && !is_lost && !has_lost_lease; }
  };
  struct Message {
    lake::Payload payload;
    std::shared_ptr<Passage> passage;
    lake::Delivery delivery;
    std::optional<otlp::ItemSum> digest;
    Pacing::Passing passing;
  };
  struct Unanswered {
    lake::Origin origin;
    otap::Signal signal = otap::Signal::kLogs;
    int64_t num_items = 0;
    std::optional<otlp::ItemSum> digest;
    std::shared_ptr<Passage> passage;
    lake::Delivery delivery;
  };
  using Channel = runtime::ThreadChannel<Message>;

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;
  /// Tells the ledger what of a batch that was taken is in a digest.
  void CountDigest(const Unanswered& delivered, int64_t num_refused);

  /// Frees the workers when the frame of Run is destroyed while it waits.
  struct Closer {
    Closer(ParquetReceiver* owner, Channel* closed) : receiver(owner), channel(closed) {}
    ~Closer() { receiver->End(channel); }
    ParquetReceiver* receiver;
    Channel* channel;
  };

  /// Body of a worker thread: takes work until there is none or Stop was called. Returns true in
  /// the last worker to end.
  bool Work(Channel* channel);
  Status WorkUntilStopped(Channel* channel);
  std::shared_ptr<Passage> Begin(lake::PartitionWork work);
  Status ReplayPartition(const std::shared_ptr<Passage>& passage, Channel* channel);
  /// Returns false when the channel was closed. Errors: those of Pacing::Admit; the instance fails.
  Result<bool> ReplayTask(const lake::PartitionTask& task, const std::shared_ptr<Passage>& passage,
                          Channel* channel, lake::MemoryBudget* budget, lake::ReadReport* report,
                          std::vector<lake::RootOutcome>* outcomes);
  /// Tells the ledger that the files of a task have been read as far as they can be, but for those
  /// of which something was not sent.
  void EndFiles(const lake::PartitionTask& task, const std::set<std::string>& unsent,
                Passage* passage);
  /// Offers files once more whose leases were lost. Returns whether some wait for their batches in
  /// flight.
  bool OfferLostAgain();
  /// Gives partitions back to the list of which not everything has arrived.
  void GiveBack();
  void Stop();
  bool is_stopped();
  /// Has the workers end: nothing of what they read from now on goes out.
  void End(Channel* channel);
  /// Adds what a reader has read and left out of a partition to the metrics.
  void Count(const lake::ReadReport& report);
  /// Adds the errors found, the folders passed over and the requests made since the last call, by
  /// whatever instance, to the metrics.
  void CountFindings();

  struct RowCounters {
    // Written by workers, one at a time.
    telemetry::Counter* listed = nullptr;
    telemetry::Counter* read = nullptr;
    std::array<telemetry::Counter*, lake::kDropReasonNames.size()> dropped{};
    telemetry::Counter* skipped_folders = nullptr;
    std::array<telemetry::Counter*, storage::kWatchGapNames.size()> watch_gaps{};  ///< by cause
    std::array<telemetry::Counter*, kErrorKindNames.size()> errors{};              ///< by kind
    /// What a selection did not read: files, row groups, pages, rows, bytes, by cause.
    std::array<std::array<telemetry::Counter*, 5>, lake::kSkipCauseNames.size()> skipped{};
    // Written by the loop.
    telemetry::Counter* emitted = nullptr;
    telemetry::Counter* acked = nullptr;
    telemetry::Counter* refused = nullptr;
  };

  std::shared_ptr<Replay> replay_;
  engine::InstanceInfo info_;
  int num_workers_;
  int64_t budget_bytes_;  ///< of one worker
  int64_t channel_bytes_;

  std::mutex mutex_;
  bool is_stopped_ = false;
  int num_working_ = 0;
  Status worker_status_;
  RowCounters rows_;
  telemetry::Gauge* found_size_ = nullptr;      ///< of one instance: they share the list
  telemetry::Gauge* waiting_size_ = nullptr;    ///< likewise
  telemetry::Gauge* paused_ = nullptr;          ///< likewise
  telemetry::Gauge* pace_lag_ = nullptr;        ///< likewise, where times are kept
  telemetry::Counter* pace_skipped_ = nullptr;  ///< likewise
  int64_t pace_skipped_counted_ = 0;            ///< nanoseconds
  telemetry::Counter* failed_saves_ = nullptr;  ///< likewise, where there is a checkpoint
  telemetry::Gauge* checkpoint_age_ = nullptr;  ///< likewise
  telemetry::Gauge* leases_held_ = nullptr;     ///< likewise, where it is shared
  telemetry::Counter* leases_lost_ = nullptr;   ///< likewise
  int64_t leases_lost_counted_ = 0;
  std::optional<storage::StoreMetrics> requests_;   ///< since Run, where the store is no folder
  std::vector<std::shared_ptr<Passage>> passages_;  ///< not known to be done

  // Touched by the loop only.
  std::optional<ProgressLog> progress_;  // since Run
  bool has_begun_ = false;
  uint64_t next_calldata_ = 0;
  std::unordered_map<uint64_t, Unanswered> unanswered_;
  int64_t num_acked_ = 0;
  int64_t num_nacked_ = 0;
  int64_t num_lost_ = 0;  ///< nacked because a node has ended, not because it refused
  std::vector<std::string> nacks_;
};

}  // namespace df::nodes::receivers::parquet
