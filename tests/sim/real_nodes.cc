#include "sim/real_nodes.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace df::sim {
namespace {

using Random = std::mt19937_64;

void DrawRetry(Random& random, PlanNode* node, Plan* plan) {
  node->config = {
      {"initial_interval", fmt::format("{}ms", 1 + random() % 20)},
      {"max_interval", fmt::format("{}ms", 30 + random() % 40)},
      {"max_elapsed_time", fmt::format("{}ms", 1 + random() % 400)},
      {"max_retries", fmt::to_string(random() % 5)},
      {"max_in_flight", fmt::to_string(1 + random() % 8)},
      {"seed", fmt::to_string(random() % 1000)},
  };
  node->ports = {{.name = "out"}};
  plan->may_repeat = true;
}

void DrawTypeRouter(Random& random, PlanNode* node, Plan*) {
  node->config = {{"admission_policy", random() % 2 == 0 ? "{on_full: reject_immediately}"
                                                         : "{on_full: backpressure}"}};
  node->ports = {{.name = "logs"}, {.name = "metrics"}, {.name = "traces"}};
}

void DrawDelay(Random& random, PlanNode* node, Plan*) {
  node->config = {{"delay", fmt::format("{}us", random() % 40'000)},
                  {"max_pending", fmt::to_string(1 + random() % 8)}};
  node->ports = {{.name = "out"}};
}

void DrawFanout(Random& random, PlanNode* node, Plan* plan) {
  const bool has_timeout = random() % 4 == 0;
  const char* const second[] = {"{port: b}", "{port: b, fallback_for: a}"};
  node->config = {
      {"mode", random() % 2 == 0 ? "parallel" : "sequential"},
      {"await_ack", random() % 2 == 0 ? "primary" : "all"},
      {"max_inflight", fmt::to_string(1 + random() % 6)},
      {"timeout_check_interval", "5ms"},
      {"destinations", fmt::format("[{{port: a, primary: true{}}}, {}]",
                                   has_timeout ? ", timeout: 10ms" : "", second[random() % 2])},
  };
  node->ports = {{.name = "a"}, {.name = "b"}};
  plan->changes_sizes = true;
}

void DrawBatch(Random& random, PlanNode* node, Plan* plan) {
  const uint64_t min_size = 1 + random() % 12;
  node->config = {
      {"otap", random() % 4 == 0 ? fmt::format("{{min_size: {}}}", min_size)
                                 : fmt::format("{{min_size: {}, max_size: {}}}", min_size,
                                               min_size + random() % 8)},
      {"max_batch_duration", fmt::format("{}ms", random() % 30)},
  };
  node->ports = {{.name = "out"}};
  plan->changes_sizes = true;
}

void DrawAttributes(Random&, PlanNode* node, Plan* plan) {
  node->config = {{"actions", "[{action: upsert, key: simulated, value: true}]"}};
  node->ports = {{.name = "out"}};
  plan->changes_records = true;
  plan->changes_sizes = true;
}

struct RealNode {
  std::string_view urn;
  void (*draw)(Random& random, PlanNode* node, Plan* plan);
};

constexpr RealNode kRealNodes[] = {
    {"urn:otel:processor:retry", DrawRetry},
    {"urn:otel:processor:type_router", DrawTypeRouter},
    {"urn:otel:processor:delay", DrawDelay},
    {"urn:otel:processor:batch", DrawBatch},
    {"urn:otel:processor:attributes", DrawAttributes},
    {"urn:otel:processor:fanout", DrawFanout},
};

}  // namespace

bool DrawRealNode(const engine::NodeRegistry& registry, std::mt19937_64& random, PlanNode* node,
                  Plan* plan) {
  const RealNode& chosen = kRealNodes[random() % std::size(kRealNodes)];
  const engine::NodeDescriptor* descriptor = registry.Find(chosen.urn);
  if (descriptor == nullptr) {
    return false;
  }
  node->urn = descriptor->urn;
  chosen.draw(random, node, plan);
  return true;
}

bool SendsToAllPorts(const PlanNode& node) { return node.urn == "urn:otel:processor:fanout"; }

}  // namespace df::sim
