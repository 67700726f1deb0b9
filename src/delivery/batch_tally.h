// What became of the parts of one batch, and the outcome that it makes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/completion.h"
#include "otap/batch.h"

namespace df::delivery {

/// Adds up the parts of a batch. The outcome of a batch of which every part has an answer is an ack
/// when anything was delivered, as of a partial success: what was refused would be refused again,
/// and the rest must not be sent twice. Where a part was refused for now, the outcome is a nack
/// that carries what is not delivered yet.
class BatchTally {
 public:
  explicit BatchTally(const otap::BatchPtr& batch) : whole_(batch.get()) {}

  void Deliver(int64_t num_items) {
    has_delivered_ = true;
    num_delivered_ += num_items;
  }
  /// `reason` of the first one is told.
  void Refuse(int64_t num_items, const std::string& reason);

  /// Whether any part has been delivered or refused for good.
  bool has_begun() const { return has_delivered_ || has_refused_; }
  int64_t num_delivered() const { return num_delivered_; }
  int64_t num_refused() const { return num_refused_; }

  /// Every part has its answer.
  engine::Outcome Finish() const;
  /// A part was refused for now, and no more are sent. `rest` is what is not delivered; null where
  /// that cannot be told apart, so that all of the batch has to be sent again.
  engine::Outcome Stop(const std::string& reason, otap::BatchPtr rest) const;

 private:
  std::shared_ptr<engine::PartialDelivery> Describe() const;

  const otap::Batch* whole_;
  bool has_delivered_ = false;
  bool has_refused_ = false;
  int64_t num_delivered_ = 0;
  int64_t num_refused_ = 0;
  std::string refusal_;
};

}  // namespace df::delivery
