// Keeps what a replay has delivered in a checkpoint while it runs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"
#include "lake/ledger/checkpoint.h"
#include "lake/ledger/file_ledger.h"
#include "nodes/receivers/parquet/config.h"
#include "runtime/clock.h"

namespace df::nodes::receivers::parquet {

/// Saves what was delivered since the last time, from a thread of its own, and at the end. What
/// cannot be saved is tried again, and sent again by a later process. Calls: from any thread.
class CheckpointKeeper {
 public:
  /// Returns the keeper of a checkpoint; generations of one node share it, so that one begins where
  /// the other is. `owner` names the node, `clock` is borrowed. Errors: as Checkpoint::Open and
  /// Load; Invalid where another node of the process uses the checkpoint.
  static Result<std::shared_ptr<CheckpointKeeper>> Open(
      const CheckpointOptions& options, const std::string& owner,
      const lake::CheckpointSubject& subject,
      const runtime::Clock* clock = &runtime::SystemClock());
  ~CheckpointKeeper();
  CheckpointKeeper(const CheckpointKeeper&) = delete;
  CheckpointKeeper& operator=(const CheckpointKeeper&) = delete;

  const std::shared_ptr<lake::FileLedger>& ledger() const { return ledger_; }
  /// Records of files that were delivered before, as the checkpoint said at the begin.
  int64_t num_loaded() const { return num_loaded_; }
  /// Saves now. Errors: as Checkpoint::Save; it is tried again.
  Status Save();
  /// Returns how often saving has failed since the last call.
  int64_t TakeFailedSaves();
  /// Returns how long ago the checkpoint last had all that was delivered.
  std::chrono::nanoseconds Age() const;
  /// Files whose names the checkpoint cannot hold: they are sent again by a later process.
  int64_t num_left_out() const;

 private:
  CheckpointKeeper(std::string owner, lake::CheckpointSubject subject, const runtime::Clock* clock)
      : owner_(std::move(owner)), subject_(std::move(subject)), clock_(clock) {}
  Status Start(const CheckpointOptions& options);
  void SaveFromTimeToTime(std::chrono::nanoseconds interval);
  Status SaveLocked();

  const std::string owner_;
  const lake::CheckpointSubject subject_;
  const runtime::Clock* const clock_;
  std::shared_ptr<lake::FileLedger> ledger_ = std::make_shared<lake::FileLedger>();
  int64_t num_loaded_ = 0;

  mutable std::mutex mutex_;
  std::unique_ptr<lake::Checkpoint> checkpoint_;
  lake::FileLedger::Changes unsaved_;  ///< taken, and not saved yet
  bool is_failing_ = false;
  int64_t num_failed_ = 0;           ///< saves that were not counted yet
  runtime::SteadyTime complete_at_;  ///< when the checkpoint had everything

  std::mutex end_mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace df::nodes::receivers::parquet
