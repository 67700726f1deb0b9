// Tells an exporter shortly before a drain ends.
#pragma once

#include <chrono>
#include <functional>

#include "engine/effects.h"
#include "runtime/event_loop.h"

namespace df::delivery {

/// Calls back some time before a drain ends by force: those who sent batches are to hear what
/// became of them. Owner: the exporter; borrows the effects. Calls: the loop.
class DrainMargin {
 public:
  /// `margin`: how long before the end; an eighth of the drain where that is less.
  DrainMargin(engine::Effects* effects, std::chrono::nanoseconds margin,
              std::function<void()> give_up);

 private:
  void OnDrain();

  engine::Effects* effects_;
  std::chrono::nanoseconds margin_;
  runtime::Timer timer_;
  runtime::Cancellation::Subscription on_drain_;
};

}  // namespace df::delivery
