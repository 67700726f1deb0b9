#include "nodes/receivers/parquet/checkpoint_keeper.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"

namespace df::nodes::receivers::parquet {
namespace {

/// A renewal that fails is tried twice more before the leases expire.
constexpr int kRenewalsInTerm = 3;

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
  // What was seen once more is not gone, and what is gone was seen before.
  const std::set<uint64_t> gone(newer.children_gone.begin(), newer.children_gone.end());
  std::set<uint64_t> seen;
  for (const lake::SeenChild& child : newer.children) {
    seen.insert(child.path_hash);
  }
  std::erase_if(changes->children, [&](const lake::SeenChild& child) {
    return gone.contains(child.path_hash) || seen.contains(child.path_hash);
  });
  std::erase_if(changes->children_gone,
                [&](uint64_t path_hash) { return seen.contains(path_hash); });
  changes->children.insert(changes->children.end(), newer.children.begin(), newer.children.end());
  changes->children_gone.insert(changes->children_gone.end(), newer.children_gone.begin(),
                                newer.children_gone.end());
}

}  // namespace

Result<std::shared_ptr<CheckpointKeeper>> CheckpointKeeper::Open(
    const CheckpointOptions& options, const std::string& owner,
    const lake::CheckpointSubject& subject, const std::string& settings,
    const runtime::Clock* clock, lake::MachineClock machine_clock) {
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
    if (keeper->is_shared() != options.lease.has_value()) {
      return Status::Invalid(fmt::format(
          "checkpoint '{}' is in use {} lease: expected the same until the earlier one has ended",
          PrintableText(options.name), keeper->is_shared() ? "with" : "without"));
    }
    return keeper;
  }
  std::shared_ptr<CheckpointKeeper> keeper(
      new CheckpointKeeper(owner, subject, clock, std::move(machine_clock)));
  ARROW_RETURN_NOT_OK(keeper->Start(options, settings));
  known = keeper;
  return keeper;
}

Status CheckpointKeeper::Start(const CheckpointOptions& options, const std::string& settings) {
  const auto wall = [clock = clock_] { return clock->WallNow(); };
  if (options.lease.has_value()) {
    sharing_ = {.ttl = options.lease->ttl, .settings = settings, .clock = machine_clock_};
    ARROW_ASSIGN_OR_RAISE(checkpoint_, lake::Checkpoint::OpenShared(options.directory, options.name,
                                                                    subject_, *sharing_, wall));
    *term_end_ = checkpoint_->term_end().count();
    renew_at_ = checkpoint_->term_end() - sharing_->ttl + sharing_->ttl / kRenewalsInTerm;
  } else {
    ARROW_ASSIGN_OR_RAISE(checkpoint_,
                          lake::Checkpoint::Open(options.directory, options.name, subject_, wall));
  }
  complete_at_ = clock_->Now();
  ARROW_ASSIGN_OR_RAISE(std::vector<lake::DeliveredFile> files, checkpoint_->Load());
  for (const lake::DeliveredFile& file : files) {
    num_loaded_ += file.is_whole ? file.num_rows : file.rows.num_rows();
  }
  ARROW_ASSIGN_OR_RAISE(std::vector<lake::QuarantineEntry> quarantine,
                        checkpoint_->LoadQuarantine());
  ARROW_ASSIGN_OR_RAISE(const lake::SeenChildren seen, checkpoint_->LoadChildren());
  ledger_->RestoreChildren(seen.children, seen.first_number);
  ledger_->Restore(std::move(files));
  ledger_->KeepQuarantine(std::move(quarantine));
  ledger_->KeepChanges();
  std::chrono::nanoseconds interval = options.save_interval;
  if (is_shared()) {
    ledger_->ShareBy(this, checkpoint_->first_number());
    interval = std::min(interval, sharing_->ttl / kRenewalsInTerm);
  }
  thread_ = std::thread([this, interval] { SaveFromTimeToTime(interval); });
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
    (void)RenewWhereDue();  // these have logged what went wrong, and are called again
    (void)Save();
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
  if (is_shared()) {
    return SaveShared();
  }
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

/// What nobody uses any more goes to the others when all that was done with it is saved.
Status CheckpointKeeper::SaveShared() {
  // In this order: what has come of a file is among the changes when nobody uses it any more.
  const std::vector<std::string> unused = held_.Unused();
  Append(ledger_->TakeChanges(), &unsaved_);
  if (unsaved_.empty() && unused.empty()) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const std::vector<std::string> lost,
                        checkpoint_->SaveShared(unsaved_, unused));
  unsaved_ = {};
  held_.Remove(unused);
  NameLost(lost);
  return Status::OK();
}

/// Needs the lock.
void CheckpointKeeper::NameLost(const std::vector<std::string>& units) {
  for (const std::string& unit : units) {
    held_.Lose(unit);
    ++num_leases_lost_;
  }
  if (!units.empty()) {
    LogWarning(
        "parquet receiver: checkpoint '{}': {} leases were lost: this process was silent for "
        "longer than {}, and others send what is left of {} and more; what was in flight may be "
        "sent twice",
        checkpoint_->path(), units.size(), FormatDuration(sharing_->ttl), units.front());
  }
}

Status CheckpointKeeper::RenewWhereDue() {
  const std::lock_guard lock(mutex_);
  const std::chrono::nanoseconds now = machine_clock_().since_boot;
  if (!is_shared() || now < renew_at_) {
    return Status::OK();
  }
  const auto lost = checkpoint_->Renew();
  const bool was_failing = std::exchange(is_renewal_failing_, !lost.ok());
  if (!lost.ok()) {
    if (!was_failing) {
      LogError(
          "parquet receiver: checkpoint '{}': the leases cannot be renewed; nothing is sent when "
          "they have expired: {}",
          checkpoint_->path(), lost.status().message());
    }
    return lost.status();
  }
  NameLost(*lost);  // before the new term counts
  *term_end_ = checkpoint_->term_end().count();
  renew_at_ = now + sharing_->ttl / kRenewalsInTerm;
  return Status::OK();
}

Status CheckpointKeeper::Learn(const std::vector<lake::LeaseUnit>& units) {
  const std::lock_guard lock(mutex_);
  ARROW_ASSIGN_OR_RAISE(lake::LearntProgress learnt, checkpoint_->Learn(units));
  ledger_->Learn(std::move(learnt.files), std::move(learnt.quarantine));
  return Status::OK();
}

Result<std::vector<lake::LeasePtr>> CheckpointKeeper::Acquire(
    const std::vector<lake::LeaseUnit>& units) {
  const std::lock_guard lock(mutex_);
  lake::LearntProgress learnt;
  ARROW_ASSIGN_OR_RAISE(const std::vector<bool> is_held, checkpoint_->Acquire(units, &learnt));
  ledger_->Learn(std::move(learnt.files), std::move(learnt.quarantine));
  std::vector<lake::LeasePtr> leases;
  for (size_t i = 0; i < units.size(); ++i) {
    leases.push_back(!is_held[i]
                         ? nullptr
                         : held_.Add(units[i].key, [clock = machine_clock_, term_end = term_end_] {
                             return clock().since_boot.count() < *term_end;
                           }));
  }
  return leases;
}

std::string CheckpointKeeper::DescribeLost() const {
  return fmt::format(
      "{} leases were lost, since this process was silent for longer than their ttl: other "
      "processes send what was left of these files, and what was in flight may be sent twice",
      num_leases_lost());
}

int64_t CheckpointKeeper::TakeFailedSaves() {
  return num_failed_.exchange(0);  // the loop asks, and does not wait for a save
}

std::chrono::nanoseconds CheckpointKeeper::Age() const {
  return clock_->Now() - complete_at_.load();
}

int64_t CheckpointKeeper::num_left_out() const {
  const std::lock_guard lock(mutex_);
  return checkpoint_->num_left_out();
}

}  // namespace df::nodes::receivers::parquet
