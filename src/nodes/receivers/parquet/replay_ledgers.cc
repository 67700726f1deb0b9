#include "nodes/receivers/parquet/replay_ledgers.h"

#include <algorithm>

#include "base/logging.h"

namespace df::nodes::receivers::parquet {

std::shared_ptr<lake::FileLedger> ReplayLedgers::Of(const ReplayName& name) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[name];
  entry.last_asked_for = ++num_calls_;
  if (entry.ledger == nullptr) {
    entry.ledger = std::make_shared<lake::FileLedger>();
    entry.shift = std::make_shared<FoundShift>();
  }
  std::shared_ptr<lake::FileLedger> ledger = entry.ledger;
  ForgetUnused();
  return ledger;
}

std::shared_ptr<FoundShift> ReplayLedgers::ShiftOf(const ReplayName& name) {
  const std::shared_ptr<lake::FileLedger> used = Of(name);
  const std::lock_guard lock(mutex_);
  return entries_[name].shift;
}

size_t ReplayLedgers::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void ReplayLedgers::ForgetUnused() {
  const auto is_unused = [](const auto& entry) { return !entry.second.is_used(); };
  auto excess = std::count_if(entries_.begin(), entries_.end(), is_unused) -
                static_cast<int64_t>(kMostUnused);
  for (; excess > 0; --excess) {
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (is_unused(*at) &&
          (oldest == entries_.end() || at->second.last_asked_for < oldest->second.last_asked_for)) {
        oldest = at;
      }
    }
    if (oldest == entries_.end()) {
      return;
    }
    LogInfo(
        "parquet receiver: what {}/{}/{} delivered from {} is forgotten: nothing has used that "
        "name for the last {} names",
        oldest->first[0], oldest->first[1], oldest->first[2], oldest->first[3], kMostUnused);
    entries_.erase(oldest);
  }
}

}  // namespace df::nodes::receivers::parquet
