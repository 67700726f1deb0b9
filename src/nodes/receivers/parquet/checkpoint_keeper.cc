#include "nodes/receivers/parquet/checkpoint_keeper.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"

namespace df::nodes::receivers::parquet {
namespace {

/// The keepers of the process, by path.
struct Keepers {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<CheckpointKeeper>> by_path;
};

Keepers& KeepersOfProcess() {
  static Keepers keepers;
  return keepers;
}

/// Puts newer entries behind older ones. The last of those with one number stays: it says all.
template <typename Entry>
void Append(std::vector<Entry> newer, std::vector<Entry>* entries) {
  entries->insert(entries->end(), std::make_move_iterator(newer.begin()),
                  std::make_move_iterator(newer.end()));
  std::stable_sort(entries->begin(), entries->end(),
                   [](const auto& a, const auto& b) { return a.number < b.number; });
  const auto end = std::unique(entries->rbegin(), entries->rend(),
                               [](const auto& a, const auto& b) { return a.number == b.number; });
  entries->erase(entries->begin(), end.base());
}

void Append(lake::FileLedger::Changes newer, lake::FileLedger::Changes* changes) {
  Append(std::move(newer.delivered), &changes->delivered);
  Append(std::move(newer.quarantined), &changes->quarantined);
  changes->released.insert(changes->released.end(), newer.released.begin(), newer.released.end());
  changes->forgotten.insert(changes->forgotten.end(), newer.forgotten.begin(),
                            newer.forgotten.end());
}

}  // namespace

Result<std::shared_ptr<CheckpointKeeper>> CheckpointKeeper::Open(
    const CheckpointOptions& options, const std::string& owner,
    const lake::CheckpointSubject& subject, const runtime::Clock* clock) {
  Keepers& keepers = KeepersOfProcess();
  const std::lock_guard lock(keepers.mutex);
  std::erase_if(keepers.by_path, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<CheckpointKeeper>& known =
      keepers.by_path[fmt::format("{}/{}", options.directory, options.name)];
  if (auto keeper = known.lock(); keeper != nullptr) {
    if (keeper->owner_ != owner) {
      return Status::Invalid(
          fmt::format("checkpoint '{}' is that of {}; expected a name of its own "
                      "for each receiver",
                      PrintableText(options.name), keeper->owner_));
    }
    if (keeper->subject_.base != subject.base || keeper->subject_.selection != subject.selection) {
      return Status::Invalid(
          fmt::format("checkpoint '{}' is of another base or selection; another "
                      "replay needs another name",
                      PrintableText(options.name)));
    }
    return keeper;
  }
  std::shared_ptr<CheckpointKeeper> keeper(new CheckpointKeeper(owner, subject, clock));
  ARROW_RETURN_NOT_OK(keeper->Start(options));
  known = keeper;
  return keeper;
}

Status CheckpointKeeper::Start(const CheckpointOptions& options) {
  ARROW_ASSIGN_OR_RAISE(checkpoint_,
                        lake::Checkpoint::Open(options.directory, options.name, subject_,
                                               [clock = clock_] { return clock->WallNow(); }));
  complete_at_ = clock_->Now();
  ARROW_ASSIGN_OR_RAISE(std::vector<lake::DeliveredFile> files, checkpoint_->Load());
  for (const lake::DeliveredFile& file : files) {
    num_loaded_ += file.is_whole ? file.num_rows : file.rows.num_rows();
  }
  ARROW_ASSIGN_OR_RAISE(std::vector<lake::QuarantineEntry> quarantine,
                        checkpoint_->LoadQuarantine());
  ledger_->Restore(std::move(files));
  ledger_->KeepQuarantine(std::move(quarantine));
  ledger_->KeepChanges();
  thread_ = std::thread([this, interval = options.save_interval] { SaveFromTimeToTime(interval); });
  return Status::OK();
}

CheckpointKeeper::~CheckpointKeeper() {
  if (!thread_.joinable()) {
    return;  // it has not started
  }
  {
    const std::lock_guard lock(end_mutex_);
    has_ended_ = true;
  }
  ended_.notify_all();
  thread_.join();
  (void)Save();  // it has logged what went wrong
}

void CheckpointKeeper::SaveFromTimeToTime(std::chrono::nanoseconds interval) {
  std::unique_lock lock(end_mutex_);
  while (!ended_.wait_for(lock, interval, [this] { return has_ended_; })) {
    lock.unlock();
    (void)Save();  // it has logged what went wrong, and is called again
    lock.lock();
  }
}

Status CheckpointKeeper::Save() {
  const std::lock_guard lock(mutex_);
  const runtime::SteadyTime begun = clock_->Now();
  const Status status = SaveLocked();
  if (status.ok()) {
    complete_at_ = begun;
  } else {
    ++num_failed_;
  }
  const bool was_failing = std::exchange(is_failing_, !status.ok());
  if (!status.ok() && !was_failing) {
    LogError(
        "parquet receiver: checkpoint '{}': what was delivered cannot be saved, and is sent "
        "again by a later process: {}",
        checkpoint_->path(), status.message());
  } else if (status.ok() && was_failing) {
    LogInfo("parquet receiver: checkpoint '{}': saved again", checkpoint_->path());
  }
  return status;
}

Status CheckpointKeeper::SaveLocked() {
  lake::FileLedger::Changes changes = ledger_->TakeChanges();
  if (unsaved_.empty()) {
    unsaved_ = std::move(changes);
  } else {
    Append(std::move(changes), &unsaved_);
  }
  if (unsaved_.empty()) {
    return Status::OK();
  }
  ARROW_RETURN_NOT_OK(checkpoint_->Save(unsaved_));
  unsaved_ = {};
  return Status::OK();
}

int64_t CheckpointKeeper::TakeFailedSaves() {
  const std::lock_guard lock(mutex_);
  return std::exchange(num_failed_, 0);
}

std::chrono::nanoseconds CheckpointKeeper::Age() const {
  const std::lock_guard lock(mutex_);
  return clock_->Now() - complete_at_;
}

int64_t CheckpointKeeper::num_left_out() const {
  const std::lock_guard lock(mutex_);
  return checkpoint_->num_left_out();
}

}  // namespace df::nodes::receivers::parquet
