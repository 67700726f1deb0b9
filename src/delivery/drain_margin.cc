#include "delivery/drain_margin.h"

#include <algorithm>
#include <utility>

namespace df::delivery {

DrainMargin::DrainMargin(engine::Effects* effects, std::chrono::nanoseconds margin,
                         std::function<void()> give_up)
    : effects_(effects),
      margin_(margin),
      timer_(&effects->loop(), std::move(give_up)),
      on_drain_(&effects->drain(), [this] { OnDrain(); }) {}

void DrainMargin::OnDrain() {
  const runtime::SteadyTime now = effects_->clock().Now();
  const runtime::SteadyTime end = effects_->drain_deadline().value_or(now);
  timer_.StartAt(end - std::min<std::chrono::nanoseconds>(margin_, (end - now) / 8));
}

}  // namespace df::delivery
