// What has come and not been sent yet, of one signal.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "nodes/processors/batch/config.h"
#include "nodes/processors/batch/outcome_ledger.h"
#include "otap/batch.h"
#include "runtime/clock.h"

namespace df::nodes::processors::batch {

/// Parts of inputs in the order in which they came.
class PendingBatch {
 public:
  bool is_empty() const { return batches_.empty(); }
  int64_t num_items() const { return num_items_; }
  int64_t num_bytes() const { return num_bytes_; }
  int64_t num_root_rows() const { return num_root_rows_; }
  int64_t SizeIn(Sizer sizer) const { return sizer == Sizer::kItems ? num_items_ : num_bytes_; }

  const std::vector<otap::BatchPtr>& batches() const { return batches_; }
  const std::vector<OutcomeLedger::Input>& inputs() const { return inputs_; }

  void Add(otap::BatchPtr batch, OutcomeLedger::Input input);
  void Clear();

  /// When the first part came.
  runtime::SteadyTime first_at;

 private:
  std::vector<otap::BatchPtr> batches_;
  std::vector<OutcomeLedger::Input> inputs_;
  int64_t num_items_ = 0;
  int64_t num_bytes_ = 0;
  int64_t num_root_rows_ = 0;
};

/// Divides an input so that its first piece fills up what is pending and no piece is above the
/// largest size. Sizes in bytes are met by the mean size of an item. Errors: Arrow's.
Result<std::vector<otap::BatchPtr>> Divide(const otap::BatchPtr& batch, const SizeConfig& sizes,
                                           const PendingBatch& pending);

}  // namespace df::nodes::processors::batch
