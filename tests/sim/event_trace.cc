#include "sim/event_trace.h"

#include <algorithm>

#include <fmt/format.h>

namespace df::sim {

void EventTrace::Mix(std::string_view bytes) {
  // FNV-1a: good enough to tell two runs apart, and the same on every machine.
  for (const char byte : bytes) {
    hash_ = (hash_ ^ static_cast<uint8_t>(byte)) * 1099511628211u;
  }
}

void EventTrace::Mix(int64_t number) {
  hash_ = (hash_ ^ static_cast<uint64_t>(number)) * 1099511628211u;
  hash_ ^= hash_ >> 29;
}

void EventTrace::Add(std::string_view node, std::string_view event, int64_t number) {
  const runtime::SteadyTime now = clock_->Now();
  const int64_t time_ns = (now - start_).count();
  if (event != "tick") {
    last_progress_ = now;
  }
  Mix(time_ns);
  Mix(node);
  Mix(event);
  Mix(number);
  ++num_events_;
  if (event != "tick") {
    kept_[static_cast<size_t>(num_kept_++) % kNumKept] = {time_ns, node, event, number};
  }
}

std::vector<std::string> EventTrace::Last() const {
  std::vector<std::string> lines;
  for (int64_t i = std::max<int64_t>(0, num_kept_ - static_cast<int64_t>(kNumKept)); i < num_kept_;
       ++i) {
    const Event& event = kept_[static_cast<size_t>(i) % kNumKept];
    lines.push_back(fmt::format("{:>10.3f} ms  {:<10} {:<18} {}",
                                static_cast<double>(event.time_ns) / 1e6, event.node, event.event,
                                event.number));
  }
  return lines;
}

}  // namespace df::sim
