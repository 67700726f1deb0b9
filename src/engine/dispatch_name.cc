#include "engine/dispatch_name.h"

namespace df::engine {

std::string_view Name(config::DispatchStrategy strategy) {
  switch (strategy) {
    case config::DispatchStrategy::kBroadcast:
      return "broadcast";
    case config::DispatchStrategy::kRoundRobin:
      return "round_robin";
    case config::DispatchStrategy::kRandom:
      return "random";
    case config::DispatchStrategy::kLeastLoaded:
      return "one_of";
  }
  return "";
}

}  // namespace df::engine
