#include "nodes/processors/batch/pending_batch.h"

#include <algorithm>
#include <utility>

#include "otap/split.h"

namespace df::nodes::processors::batch {

void PendingBatch::Add(otap::BatchPtr batch, OutcomeLedger::Input input) {
  num_items_ += batch->num_items();
  num_bytes_ += batch->size_bytes();
  num_root_rows_ += batch->num_root_rows();
  batches_.push_back(std::move(batch));
  inputs_.push_back(input);
}

void PendingBatch::Clear() {
  batches_.clear();
  inputs_.clear();
  num_items_ = 0;
  num_bytes_ = 0;
  num_root_rows_ = 0;
}

Result<std::vector<otap::BatchPtr>> Divide(const otap::BatchPtr& batch, const SizeConfig& sizes,
                                           const PendingBatch& pending) {
  if (!sizes.max_size.has_value()) {
    return std::vector<otap::BatchPtr>{batch};
  }
  const int64_t max_size = *sizes.max_size;
  const int64_t room = std::max<int64_t>(max_size - pending.SizeIn(sizes.sizer), 1);
  if (sizes.sizer == Sizer::kItems) {
    return otap::Split(batch, room, max_size);
  }
  if (batch->size_bytes() <= room) {
    return std::vector<otap::BatchPtr>{batch};
  }
  const double item_bytes = static_cast<double>(batch->size_bytes()) /
                            static_cast<double>(std::max<int64_t>(batch->num_items(), 1));
  const auto items_in = [&](int64_t bytes) {
    return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(bytes) / item_bytes), 1);
  };
  return otap::Split(batch, items_in(room), items_in(max_size));
}

}  // namespace df::nodes::processors::batch
