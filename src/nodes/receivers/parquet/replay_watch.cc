// How a replay learns of changes: of the tree that it follows, and of its configuration.
#include <utility>

#include "base/logging.h"
#include "nodes/receivers/parquet/replay.h"
#include "storage/inotify_watch.h"

namespace df::nodes::receivers::parquet {

void Replay::Watch() {
  if (config_.watch == Watching::kOff || !config_.polling_interval.interval.has_value() ||
      !store_->is_local() || config_.catalog.files.has_value()) {
    return;
  }
  auto watch = storage::InotifyWatch::Make();
  if (!watch.ok()) {
    ++gaps_before_[static_cast<size_t>(storage::WatchGap::kLimit)];
    LogWarning("parquet receiver: new files are found by polling only: {}",
               watch.status().message());
    return;
  }
  WatchBy(*std::move(watch));
}

void Replay::WatchBy(std::shared_ptr<storage::FolderWatch> watch) {
  watch_ = watch;
  work_list_.UseWatch(std::move(watch));
}

void Replay::Apply(const ParquetReceiverConfig& config) {
  const lake::ReadOptions read = MakeReadOptions(config, began_);
  {
    const std::lock_guard lock(mutex_);
    limits_ = {.batch_size = read.batch_size, .span = read.payload_span};
    ++num_changes_;
  }
  if (config.polling_interval.interval.has_value()) {
    work_list_.SetPollingInterval(*config.polling_interval.interval);
  }
  pacing_.Change(config.pace.value_or(PaceOptions()));
}

std::optional<Replay::Limits> Replay::LimitsSince(uint64_t* num_changes) const {
  if (*num_changes == num_changes_) {
    return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  *num_changes = num_changes_;
  return limits_;
}

storage::FolderWatch::Gaps Replay::TakeNewWatchGaps() {
  const std::lock_guard lock(mutex_);
  const storage::FolderWatch::Gaps all = watch_ == nullptr ? gaps_before_ : watch_->gaps();
  storage::FolderWatch::Gaps added{};
  for (size_t gap = 0; gap < all.size(); ++gap) {
    added[gap] = all[gap] - std::exchange(gaps_counted_[gap], all[gap]);
  }
  return added;
}

}  // namespace df::nodes::receivers::parquet
