// Shares the files of a tree with the work lists of other processes.
#include <utility>

#include <fmt/format.h>

#include "lake/queue/work_list.h"

namespace df::lake {
namespace {

/// Files that other processes have are asked for again after this time.
constexpr std::chrono::milliseconds kBusyDelay(500);

std::vector<LeaseUnit> UnitsOf(const std::vector<FileSummaryPtr>& roots) {
  std::vector<LeaseUnit> units;
  for (const FileSummaryPtr& root : roots) {
    units.push_back({.key = LeaseStore::UnitOf({.table = root->kind,
                                                .partition = "",
                                                .path = "",
                                                .digest = root->digest,
                                                .size_bytes = root->entry.size_bytes,
                                                .modified_nanos = 0,
                                                .number = {},
                                                .content = std::nullopt}),
                     .path = root->entry.path});
  }
  return units;
}

}  // namespace

/// Returns the root files that this list has not sent or given up, and nobody has delivered.
std::vector<FileSummaryPtr> WorkList::ToBeLeased(const std::vector<FileSummaryPtr>& roots,
                                                 const std::string& partition) const {
  std::vector<FileSummaryPtr> wanted;
  for (const FileSummaryPtr& root : roots) {
    if (is_following()) {
      const std::lock_guard lock(mutex_);
      const auto known = known_.find(root->entry.path);
      if (known == known_.end() || !known->second.is_settled) {
        wanted.push_back(root);
      }
      continue;
    }
    const FileRecordPtr record = RecordOf(*root, partition, std::nullopt);
    const std::lock_guard lock(mutex_);
    const auto state = once_roots_.find(record);
    const bool is_taken = state != once_roots_.end() && state->second.is_taken;
    if (!is_taken && !ledger_->IsDelivered(record)) {
      wanted.push_back(root);
    }
  }
  return wanted;
}

/// Takes the leases of root files that are to be claimed, all of a partition at once, so that their
/// children are read by one process. What others have delivered by now is told to the ledger, whose
/// claims need the leases; who has none finds the file busy.
void WorkList::LeaseRoots(const std::vector<FileSummaryPtr>& roots, const std::string& partition,
                          Preparation* preparation) {
  LeaseProvider* const leases = ledger_->leases();
  if (leases == nullptr) {
    return;
  }
  std::vector<FileSummaryPtr> wanted = ToBeLeased(roots, partition);
  if (wanted.empty()) {
    return;
  }
  // Reading is cheap: who has nothing to take does not keep the others from writing.
  Status status = leases->Learn(UnitsOf(wanted));
  if (status.ok()) {
    wanted = ToBeLeased(wanted, partition);
    auto acquired = wanted.empty() ? Result<std::vector<LeasePtr>>(std::vector<LeasePtr>())
                                   : leases->Acquire(UnitsOf(wanted));
    status = acquired.status();
    if (acquired.ok()) {
      preparation->leases = *std::move(acquired);
    }
  }
  if (!status.ok()) {
    // The files are busy then, and asked for again.
    const std::lock_guard lock(mutex_);
    if (reported_.insert(fmt::format("leases {}", status.message())).second) {
      report_.AddNotice(status.WithMessage("leases could not be taken, and are asked for again: ",
                                           status.message()));
    }
  }
}

void WorkList::OfferAgain(PartitionWork work) {
  const std::lock_guard lock(mutex_);
  for (PartitionTask& task : work.tasks) {
    std::vector<FileRecordPtr> records;
    for (const auto& claim : task.claims) {
      records.push_back(claim->record());
    }
    task.claims.clear();  // another process may take what is left
    OfferFiles(task, records);
  }
}

/// Has the root files of a task claimed anew, after a while. Needs the lock.
void WorkList::OfferFiles(const PartitionTask& task, const std::vector<FileRecordPtr>& records) {
  std::shared_ptr<const PartitionListing> listing;
  for (size_t i = 0; i < records.size(); ++i) {
    const FileSummary& root = *task.files->of(otap::RootTable(task.signal))[task.root_files[i]];
    if (is_following()) {
      const auto known = known_.find(root.entry.path);
      if (known != known_.end() && known->second.content != nullptr &&
          std::exchange(known->second.is_settled, false)) {
        --known->second.content->num_sent;
      }
      LookAgain(task.files->partition, clock_() + kBusyDelay);
      continue;
    }
    OnceRoot& state = once_roots_[records[i]];
    state.is_taken = false;
    state.retry_at = clock_() + kBusyDelay;
    listing = state.listing;
  }
  if (listing != nullptr) {
    later_.push_back({.listing = *listing, .due = clock_() + kBusyDelay});
  }
}

}  // namespace df::lake
