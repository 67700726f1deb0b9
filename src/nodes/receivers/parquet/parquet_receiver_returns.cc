// What a Parquet receiver gives back: work that others may take, and its report.
#include <utility>

#include <fmt/format.h>

#include "nodes/receivers/parquet/parquet_receiver.h"

namespace df::nodes::receivers::parquet {

bool ParquetReceiver::OfferLostAgain() {
  std::vector<std::shared_ptr<Passage>> over;
  bool has_more = false;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(passages_, [&](const auto& passage) {
      if (!passage->has_lost_lease || passage->is_lost || !passage->is_over()) {
        has_more = has_more || passage->has_lost_lease;
        return false;
      }
      over.push_back(passage);
      return true;
    });
  }
  for (const std::shared_ptr<Passage>& passage : over) {
    for (const auto& [path, file] : passage->files) {
      replay_->ledger().Release(file);
    }
    replay_->work_list().OfferAgain(std::move(passage->work));
  }
  return has_more;
}

void ParquetReceiver::GiveBack() {
  for (auto& [calldata, unanswered] : unanswered_) {
    unanswered.delivery = {};  // the node that had the batch has ended
  }
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<Passage>& passage : passages_) {
    if (!passage->is_done()) {
      replay_->work_list().GiveBack(std::move(passage->work), passage->is_lost);
    }
  }
  passages_.clear();
}

engine::NodeReport ParquetReceiver::Report() {
  GiveBack();
  engine::NodeReport report;
  if (num_lost_ > 0) {
    report.lines.push_back(
        fmt::format("{} batches were in flight when a node ended; their partitions were given back",
                    num_lost_));
  }
  if (num_nacked_ > 0) {
    report.lines.push_back(
        fmt::format("{} batches were delivered, {} were not", num_acked_, num_nacked_));
    report.lines.insert(report.lines.end(), nacks_.begin(), nacks_.end());
    report.num_problems += num_nacked_;
  }
  return report;
}

}  // namespace df::nodes::receivers::parquet
