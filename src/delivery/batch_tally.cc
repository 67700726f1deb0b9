#include "delivery/batch_tally.h"

#include <utility>

#include <fmt/format.h>

namespace df::delivery {

void BatchTally::Refuse(int64_t num_items, const std::string& reason) {
  if (!std::exchange(has_refused_, true)) {
    refusal_ = reason;
  }
  num_refused_ += num_items;
}

std::shared_ptr<engine::PartialDelivery> BatchTally::Describe() const {
  auto partial = std::make_shared<engine::PartialDelivery>();
  partial->num_delivered = num_delivered_;
  partial->num_refused = num_refused_;
  partial->refusal = refusal_;
  return partial;
}

engine::Outcome BatchTally::Finish() const {
  if (has_refused_ && !has_delivered_) {
    return engine::Outcome::Nack(refusal_, /*is_permanent=*/true);
  }
  engine::Outcome outcome = engine::Outcome::Ack();
  if (has_refused_) {
    outcome.partial = Describe();
  }
  return outcome;
}

engine::Outcome BatchTally::Stop(const std::string& reason, otap::BatchPtr rest) const {
  engine::Outcome outcome = engine::Outcome::Nack(reason, /*is_permanent=*/false);
  if (!has_begun()) {
    return outcome;
  }
  outcome.reason = fmt::format("{} (items before: {} delivered, {} refused)", reason,
                               num_delivered_, num_refused_);
  std::shared_ptr<engine::PartialDelivery> partial = Describe();
  partial->rest = std::move(rest);
  partial->whole = whole_;
  outcome.partial = std::move(partial);
  return outcome;
}

}  // namespace df::delivery
