// Keeps what a replay has delivered in a checkpoint while it runs.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "lake/ledger/checkpoint.h"
#include "lake/ledger/file_leases.h"
#include "lake/ledger/file_ledger.h"
#include "nodes/receivers/parquet/config.h"
#include "runtime/clock.h"

namespace df::nodes::receivers::parquet {

/// Saves what was delivered since the last time, from a thread of its own, and at the end. What
/// cannot be saved is tried again, and sent again by a later process. Where processes share the
/// checkpoint, the thread also renews the leases of this one, and ends those that nobody uses, with
/// the save that has all of their progress. Calls: from any thread.
class CheckpointKeeper : private lake::LeaseProvider {
 public:
  /// Returns the keeper of a checkpoint; generations of one node share it, so that one begins where
  /// the other is. `owner` names the node, `clock` is borrowed. Errors: as Checkpoint::Open and
  /// Load; Invalid where another node of the process uses the checkpoint. `settings` says what is
  /// sent, for others that share it.
  static Result<std::shared_ptr<CheckpointKeeper>> Open(
      const CheckpointOptions& options, const std::string& owner,
      const lake::CheckpointSubject& subject, const std::string& settings = "",
      const runtime::Clock* clock = &runtime::SystemClock(),
      lake::MachineClock machine_clock = lake::ReadMachineTime);
  ~CheckpointKeeper() override;
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
  /// Leases that other processes have taken over from this one so far.
  int64_t num_leases_lost() const { return num_leases_lost_; }
  /// Says that leases were lost, and what that means.
  std::string DescribeLost() const;
  /// Leases that this process has.
  int64_t num_leases_held() const { return held_.size(); }
  bool is_shared() const { return sharing_.has_value(); }
  /// Renews the leases, where it is time to. Errors: as Checkpoint::Renew; it is tried again.
  Status RenewWhereDue();
  /// Files whose names the checkpoint cannot hold: they are sent again by a later process.
  int64_t num_left_out() const;

 private:
  CheckpointKeeper(std::string owner, lake::CheckpointSubject subject, const runtime::Clock* clock,
                   lake::MachineClock machine_clock)
      : owner_(std::move(owner)),
        subject_(std::move(subject)),
        clock_(clock),
        machine_clock_(std::move(machine_clock)) {}
  Status Start(const CheckpointOptions& options, const std::string& settings);
  void SaveFromTimeToTime(std::chrono::nanoseconds interval);
  Status SaveLocked();
  Status SaveShared();
  void NameLost(const std::vector<std::string>& units);

  Status Learn(const std::vector<lake::LeaseUnit>& units) override;
  Result<std::vector<lake::LeasePtr>> Acquire(const std::vector<lake::LeaseUnit>& units) override;
  const lake::HeldLeases& held() const override { return held_; }

  const std::string owner_;
  const lake::CheckpointSubject subject_;
  const runtime::Clock* const clock_;
  const lake::MachineClock machine_clock_;
  std::optional<lake::CheckpointSharing> sharing_;
  lake::HeldLeases held_;
  std::atomic<int64_t> num_leases_lost_ = 0;
  /// Nanoseconds of machine_clock_. Claims may outlive the keeper.
  const std::shared_ptr<std::atomic<int64_t>> term_end_ = std::make_shared<std::atomic<int64_t>>(0);
  std::shared_ptr<lake::FileLedger> ledger_ = std::make_shared<lake::FileLedger>();
  int64_t num_loaded_ = 0;

  mutable std::mutex mutex_;
  std::unique_ptr<lake::Checkpoint> checkpoint_;
  lake::FileLedger::Changes unsaved_;  ///< taken, and not saved yet
  bool is_failing_ = false;
  std::atomic<int64_t> num_failed_ = 0;   ///< saves that were not counted yet
  std::chrono::nanoseconds renew_at_{0};  ///< of machine_clock_
  bool is_renewal_failing_ = false;
  std::atomic<runtime::SteadyTime> complete_at_{};  ///< when the checkpoint had everything

  std::mutex end_mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread thread_;
};

}  // namespace df::nodes::receivers::parquet
