// What the instances of one Parquet receiver share.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "engine/node_registry.h"
#include "lake/catalog/set_aside.h"
#include "lake/queue/trace_search.h"
#include "lake/queue/work_list.h"
#include "nodes/receivers/parquet/checkpoint_keeper.h"
#include "nodes/receivers/parquet/config.h"
#include "nodes/receivers/parquet/delivery_ledger.h"
#include "nodes/receivers/parquet/pacing.h"
#include "storage/folder_watch.h"

namespace df::nodes::receivers::parquet {

/// The work list of the tree and the problems that were logged already. Calls: from any thread.
class Replay final : public engine::NodeShared {
 public:
  Replay(ParquetReceiverConfig config, std::shared_ptr<storage::Store> store);

  /// Opens what the configuration says under catalog. Errors: those of FooterCache::Open. Before
  /// anything is read.
  Status OpenCache();

  /// Has changes of the tree told, where it is followed, local, and its folders say which files
  /// there are. Where the system does not do that, polling has to do, which is logged. Before
  /// anything is read.
  void Watch();

  /// The same by a watch that is given.
  void WatchBy(std::shared_ptr<storage::FolderWatch> watch);

  /// Returns, by cause, the gaps of the watch since the last call.
  storage::FolderWatch::Gaps TakeNewWatchGaps();

  /// Goes on with another configuration, where CanApply says so: batches that are read from now on
  /// follow it. One that it has already changes nothing.
  void Apply(const ParquetReceiverConfig& config);

  /// How large payloads may be.
  struct Limits {
    int64_t batch_size = 0;
    std::optional<lake::PayloadSpan> span;
  };
  /// Returns them where they have changed after `num_changes` changes, which is brought up to date;
  /// 0 stands for the beginning.
  std::optional<Limits> LimitsSince(uint64_t* num_changes) const;

  /// Reads what the receipt of an earlier run says was delivered, where the configuration names
  /// one. Errors: as ReadReceiptProgress. Before anything is read.
  Status ReadProgress();

  /// Returns the progress that the receipt is to have; "" where it is to have none.
  std::string DescribeProgress() const;
  /// Records of files that an earlier run had delivered, by its receipt.
  int64_t num_resumed() const { return num_resumed_; }

  /// Says which node this is of: what an earlier one of that name has delivered from the same base
  /// in the life of the process, or as its checkpoint says, is not sent again. Called by each
  /// instance; the first counts. Errors: as CheckpointKeeper::Open; nothing may be read then.
  Status Attach(const engine::InstanceInfo& info);

  /// Saves what was delivered in the checkpoint, where there is one. Returns what went wrong.
  Status SaveCheckpoint() const;
  /// Null without one.
  CheckpointKeeper* checkpoint() const { return checkpoint_.get(); }

  /// What an earlier process has put into the quarantine of the checkpoint, where there is one.
  std::vector<lake::QuarantineEntry> QuarantinedBefore() const;

  /// An instance begins or ceases to read. When the last one ceases, waits for the store end, so
  /// that no drain takes as long as they do.
  void Begin();
  void Cease();

  const ParquetReceiverConfig& config() const { return config_; }
  /// The path of the base in its store.
  const std::string& base() const { return base_; }
  storage::Store* store() const { return store_.get(); }
  lake::WorkList& work_list() { return work_list_; }
  const lake::WorkList& work_list() const { return work_list_; }
  /// What readers are told; times that were written as so long ago are fixed since the replay
  /// began.
  const lake::ReadOptions& read_options() const { return read_options_; }
  /// Finds out which traces trace.any is true of, where the selection asks. Readers may begin after
  /// that. Errors: as TraceSearch::Run.
  Status FindTraces(int64_t budget_bytes, const std::function<bool()>& is_stopped);
  /// Makes those that wait for work, in FindTraces or for their turn see that they are stopped.
  void Wake();
  /// Null where the selection asks nothing of traces.
  const lake::TraceSearch* search() const { return search_.get(); }
  /// When batches go out, and with which times.
  Pacing& pacing() { return pacing_; }
  const Pacing& pacing() const { return pacing_; }
  DeliveryLedger& ledger() { return ledger_; }
  const DeliveryLedger& ledger() const { return ledger_; }

  /// Logs every problem that the work list has learnt of since the last call, and once that there
  /// is nothing to replay.
  void LogNewProblems();

  /// Says why there is nothing to replay, as far as that can be told.
  std::string DescribeNothing() const;

  /// Returns, by kind, the errors that the work list has learnt of since the last call.
  lake::ErrorCounts TakeNewErrors();

  /// Returns the folders of times that were not listed, without those that an earlier call has
  /// returned.
  int64_t TakeNewSkippedFolders();

  /// Returns what requests of the store have cost since the last call; nothing where it is local.
  storage::StoreCounts TakeNewRequests();

 private:
  Result<std::unique_ptr<lake::WorkList>> MakeSearchList(const lake::ReadOptions& read);

  ParquetReceiverConfig config_;
  std::string base_;
  std::shared_ptr<storage::Store> store_;
  lake::BaseHold hold_;
  lake::ReadOptions read_options_;
  std::shared_ptr<lake::FooterCache> cache_;  ///< may be null
  lake::WorkList work_list_;
  std::unique_ptr<lake::TraceSearch> search_;
  std::once_flag searched_;
  Pacing pacing_;
  DeliveryLedger ledger_;
  std::chrono::system_clock::time_point began_ = std::chrono::system_clock::now();
  std::atomic<uint64_t> num_changes_ = 0;
  Limits limits_;  ///< by mutex_; of the last change
  mutable std::mutex mutex_;
  std::set<std::string> logged_;  ///< messages; a report holds a bounded number of them
  lake::ErrorCounts num_counted_{};
  int64_t num_folders_counted_ = 0;
  storage::StoreCounts requests_counted_;
  std::shared_ptr<storage::FolderWatch> watch_;  ///< may be null
  storage::FolderWatch::Gaps gaps_before_{};     ///< counted before there was a watch
  storage::FolderWatch::Gaps gaps_counted_{};
  bool has_logged_empty_base_ = false;
  Status AttachLedger(const engine::InstanceInfo& info);

  std::once_flag attached_;
  Status attach_status_;
  std::shared_ptr<CheckpointKeeper> checkpoint_;   ///< may be null
  std::shared_ptr<lake::FileLedger> file_ledger_;  ///< null until it is attached
  std::vector<lake::DeliveredFile> resumed_;       ///< until then
  int64_t num_resumed_ = 0;
  int num_reading_ = 0;
};

/// Writes the numbers of a replay for people: what went out per signal, what did not and why.
engine::NodeReport DescribeReplay(const Replay& replay);

}  // namespace df::nodes::receivers::parquet
