// Keeps batches on disk until they are delivered.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/node.h"
#include "engine/outage_log.h"
#include "nodes/processors/durable_buffer/buffer_worker.h"
#include "nodes/processors/durable_buffer/config.h"
#include "runtime/condition.h"
#include "runtime/event_loop.h"

namespace df::nodes::processors::durable_buffer {

/// A batch is acked when it is durable in the folder, and sent on from there in the order in which
/// it came; it leaves the folder when it is acked downstream. What is refused temporarily is sent
/// again after a wait. What is refused permanently, too old or damaged leaves the folder and is
/// counted by that reason, and so is what makes room for others.
///
/// When a drain begins nothing more is read from the folder: the next start delivers it. When
/// receivers end by themselves the node delivers what it has, until something is refused
/// temporarily.
class DurableBufferProcessor final : public engine::Processor, public engine::CompletionHandler {
 public:
  /// `calls` is borrowed.
  DurableBufferProcessor(std::shared_ptr<const DurableBufferConfig> config,
                         const engine::InstanceInfo& info, FileCalls* calls = &SystemFileCalls());
  ~DurableBufferProcessor() override;

  Status Start(engine::Effects& effects) override;
  /// Waits while as many bytes as may be are on their way to the folder. Errors: the folder cannot
  /// be used.
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  void OnCollect() override;
  engine::NodeReport Report() override;

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

 private:
  /// Why a batch that was acked is not delivered.
  enum class Drop : uint8_t { kFull, kAge, kRefused, kDamaged };
  static constexpr size_t kNumDrops = 4;

  enum class Progress : uint8_t { kWaiting, kFetching, kSent };
  struct Record {
    RecordFacts facts;
    Progress progress = Progress::kWaiting;
  };
  /// A batch that is not durable yet.
  struct Arriving {
    engine::Pdata pdata;
    int64_t size_bytes = 0;
  };
  /// Reports come by way of the loop, where this may be gone already.
  struct Mailbox {
    DurableBufferProcessor* owner;
  };

  void Take(BufferReport report);
  void TakeOpened(const Result<RecoveredRecords>& opened);
  void TakeStored(const Stored& stored);
  void TakeFetched(Fetched fetched);
  /// Takes a record off the books. `is_there`: also out of the folder.
  void Forget(std::map<uint64_t, Record>::iterator record, bool is_there);
  void CountDrop(Drop drop, const RecordFacts& facts, const std::string& reason);
  void Add(const RecordFacts& facts);
  /// Has the next batches read, as far as there is room downstream.
  void FetchMore();
  void DropOld();
  int64_t WallNanos() const;
  runtime::Task<> SendFetched();
  bool is_paused() const;

  std::shared_ptr<const DurableBufferConfig> config_;
  engine::InstanceInfo info_;
  FileCalls* calls_;
  std::shared_ptr<Mailbox> mailbox_;
  engine::Effects* effects_ = nullptr;
  std::unique_ptr<BufferWorker> worker_;
  Status failure_;
  bool is_open_ = false;
  bool is_finishing_ = false;

  std::unordered_map<uint64_t, Arriving> arriving_;  ///< by number
  uint64_t next_number_ = 0;
  int64_t arriving_bytes_ = 0;
  std::map<uint64_t, Record> records_;         ///< by sequence
  std::map<uint64_t, Record>::iterator next_;  ///< before it none waits but what came back
  std::deque<uint64_t> came_back_;             ///< refused temporarily, in their order
  int64_t num_active_ = 0;                     ///< being read, or without an outcome
  int64_t num_orders_ = 0;                     ///< that the worker has not carried out
  std::deque<Fetched> fetched_;                ///< to be sent on
  bool is_sending_ = false;
  runtime::SteadyTime pause_end_;
  std::chrono::nanoseconds pause_{0};  ///< the last one; 0: nothing was refused since an ack

  int64_t size_bytes_ = 0;
  int64_t num_items_ = 0;  ///< of the records
  int64_t num_stored_ = 0;
  int64_t num_recovered_ = 0;
  int64_t num_delivered_ = 0;
  int64_t num_not_stored_ = 0;
  std::string first_error_;
  int64_t num_refused_in_part_ = 0;               ///< items
  std::array<int64_t, kNumDrops> num_dropped_{};  ///< items
  std::array<std::string, kNumDrops> first_drop_;
  std::vector<std::string> findings_;
  int64_t num_damaged_ = 0;

  telemetry::Gauge* size_gauge_ = nullptr;
  telemetry::Gauge* items_gauge_ = nullptr;
  telemetry::Gauge* age_gauge_ = nullptr;
  telemetry::Counter* stored_ = nullptr;
  telemetry::Counter* not_stored_ = nullptr;
  std::array<telemetry::Counter*, kNumDrops> dropped_{};
  std::optional<engine::OutageLog> outages_;
  std::optional<runtime::Timer> resume_timer_;
  std::optional<runtime::Cancellation::Subscription> on_drain_;
  std::optional<runtime::Condition> changed_;
  std::optional<runtime::Wakeup> has_fetched_;
  // Goes first: what it lets fall is heard.
  runtime::Task<> sending_;
};

}  // namespace df::nodes::processors::durable_buffer
