#include "sim/plan.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "sim/real_nodes.h"

namespace df::sim {
namespace {

constexpr config::DispatchStrategy kStrategies[] = {
    config::DispatchStrategy::kBroadcast, config::DispatchStrategy::kRoundRobin,
    config::DispatchStrategy::kRandom, config::DispatchStrategy::kLeastLoaded};

std::string_view Name(config::DispatchStrategy strategy) {
  static constexpr std::string_view kNames[] = {"broadcast", "round_robin", "random",
                                                "least_loaded"};
  return kNames[static_cast<size_t>(strategy)];
}

class Draw {
 public:
  Draw(uint64_t seed, const engine::NodeRegistry& registry) : random_(seed), registry_(registry) {
    plan_.seed = seed;
  }

  Plan Make() {
    const size_t num_receivers = 1 + Below(3);
    const size_t num_processors = Below(7);
    const size_t num_exporters = 1 + Below(3);
    for (size_t i = 0; i < num_receivers; ++i) {
      AddReceiver(i);
    }
    for (size_t i = 0; i < num_processors; ++i) {
      AddProcessor(i);
    }
    for (size_t i = 0; i < num_exporters; ++i) {
      AddExporter(i);
    }
    Connect(num_receivers, num_processors);
    plan_.max_copies = CountCopies();
    plan_.max_messages = Percent(70) ? 1 + Below(3) : 64;
    plan_.max_bytes = Percent(50) ? 1'000 + Below(8'000) : 1'000'000;
    if (Percent(40)) {
      plan_.memory.soft_bytes = 1'000 + static_cast<int64_t>(Below(30'000));
      plan_.memory.hard_bytes = plan_.memory.soft_bytes * 2;
    }
    if (Percent(50)) {
      plan_.drain_after = std::chrono::microseconds(1 + Below(150'000));
    }
    plan_.drain_timeout = std::chrono::milliseconds(Percent(30) ? 1 + Below(40) : 5'000);
    // What is held to the end keeps those waiting who wait for outcomes, or for memory.
    plan_.may_stall |=
        has_holding_exporter_ && (has_waiting_processor_ || plan_.memory.soft_bytes != INT64_MAX);
    plan_.is_order_random = Percent(60);
    plan_.is_restarted = Percent(25);
    return std::move(plan_);
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool Percent(uint64_t percent) { return Below(100) < percent; }
  std::string Seed() { return fmt::to_string(random_() >> 2); }
  std::string UpTo(uint64_t percent) { return fmt::to_string(Below(percent + 1)); }

  void AddReceiver(size_t index) {
    PlanNode node;
    node.name = fmt::format("source_{}", index);
    node.kind = engine::NodeKind::kReceiver;
    node.urn = "urn:otel:receiver:test_sim_source";
    node.config = {{"seed", Seed()}, {"pause_percent", Percent(50) ? "0" : UpTo(60)}};
    if (Percent(20)) {
      node.config.emplace_back("try_percent", UpTo(100));
    }
    if (Percent(20)) {
      node.config.emplace_back("stays", "true");
    }
    plan_.num_batches.push_back(static_cast<int64_t>(Below(14)));
    plan_.nodes.push_back(std::move(node));
  }

  void AddProcessor(size_t index) {
    PlanNode node;
    node.kind = engine::NodeKind::kProcessor;
    if (Percent(50) && DrawRealNode(registry_, random_, &node, &plan_)) {
      has_waiting_processor_ = true;
    } else {
      static constexpr std::string_view kModes[] = {"pass", "pass", "keep", "relay", "try"};
      const std::string_view mode = kModes[Below(std::size(kModes))];
      node.urn = "urn:otel:processor:test_sim_step";
      node.config = {{"seed", Seed()}, {"mode", std::string(mode)}};
      node.ports = {{.name = "out"}};
      has_waiting_processor_ |= mode == "relay";
    }
    node.name = fmt::format("step_{}", index);
    plan_.nodes.push_back(std::move(node));
  }

  void AddExporter(size_t index) {
    PlanNode node;
    node.name = fmt::format("sink_{}", index);
    node.kind = engine::NodeKind::kExporter;
    node.urn = "urn:otel:exporter:test_sim_sink";
    node.config = {{"seed", Seed()}};
    const auto maybe = [&](uint64_t percent, const char* key, uint64_t at_most) {
      if (Percent(percent)) {
        node.config.emplace_back(key, UpTo(at_most));
      }
    };
    maybe(35, "nack_percent", 60);
    maybe(20, "refuse_percent", 40);
    maybe(40, "late_percent", 100);
    maybe(15, "fall_percent", 40);
    maybe(40, "pause_percent", 60);
    if (Percent(8)) {
      node.config.emplace_back("hold_percent", UpTo(50));
      has_holding_exporter_ = true;
    }
    if (Percent(7)) {
      node.config.emplace_back("stall_after", UpTo(12));
      plan_.may_stall = true;
    }
    maybe(6, "fail_after", 12);
    maybe(4, "throw_after", 12);
    if (Percent(30)) {
      node.config.emplace_back("tick", fmt::format("{}us", 2'000 + Below(20'000)));
    }
    plan_.nodes.push_back(std::move(node));
  }

  void Connect(size_t num_receivers, size_t num_processors) {
    const size_t first_exporter = num_receivers + num_processors;
    std::vector<bool> is_reached(plan_.nodes.size(), false);
    for (size_t i = 0; i < first_exporter; ++i) {
      PlanNode& node = plan_.nodes[i];
      if (i >= num_receivers && !is_reached[i]) {
        // Somebody before it that can have one more destination: a receiver always does.
        AddDestination(&plan_.nodes[Below(num_receivers)], i, &is_reached);
      }
      if (node.ports.empty()) {
        node.ports = {{.name = "out"}};
      }
      const size_t first_target = std::max(i + 1, num_receivers);
      for (PlanPort& port : node.ports) {
        const size_t wanted = Percent(65) ? 1 : 2 + Below(2);
        for (size_t draw = 0; draw < wanted; ++draw) {
          AddTo(&port, first_target + Below(plan_.nodes.size() - first_target), &is_reached);
        }
      }
    }
    for (size_t i = first_exporter; i < plan_.nodes.size(); ++i) {
      if (!is_reached[i]) {
        AddDestination(&plan_.nodes[Below(first_exporter)], i, &is_reached);
      }
    }
    for (PlanNode& node : plan_.nodes) {
      for (PlanPort& port : node.ports) {
        port.strategy = kStrategies[Below(std::size(kStrategies))];
      }
    }
  }

  void AddDestination(PlanNode* node, size_t destination, std::vector<bool>* is_reached) {
    if (node->ports.empty()) {
      node->ports = {{.name = "out"}};
    }
    AddTo(&node->ports[Below(node->ports.size())], destination, is_reached);
  }

  void AddTo(PlanPort* port, size_t destination, std::vector<bool>* is_reached) {
    auto& list = port->destinations;
    if (std::find(list.begin(), list.end(), destination) == list.end()) {
      list.push_back(destination);
    }
    (*is_reached)[destination] = true;
  }

  // An upper bound: the ports of a node are added up, though most nodes choose one of them.
  int64_t CountCopies() const {
    std::vector<int64_t> copies(plan_.nodes.size(), 0);
    int64_t most = 1;
    for (size_t i = plan_.nodes.size(); i-- > 0;) {
      const PlanNode& node = plan_.nodes[i];
      if (node.kind == engine::NodeKind::kExporter) {
        copies[i] = 1;
        continue;
      }
      int64_t of_ports = 0;
      for (const PlanPort& port : node.ports) {
        int64_t of_port = 0;
        for (const size_t destination : port.destinations) {
          of_port = port.strategy == config::DispatchStrategy::kBroadcast
                        ? of_port + copies[destination]
                        : std::max(of_port, copies[destination]);
        }
        of_ports = SendsToAllPorts(node) ? of_ports + of_port : std::max(of_ports, of_port);
      }
      copies[i] = of_ports;
      most = std::max(most, of_ports);
    }
    return most;
  }

  std::mt19937_64 random_;
  const engine::NodeRegistry& registry_;
  Plan plan_;
  bool has_holding_exporter_ = false;
  bool has_waiting_processor_ = false;  // its end waits for outcomes
};

void AppendNode(const PlanNode& node, std::string* out) {
  *out += fmt::format("  {}:\n    type: \"{}\"\n", node.name, node.urn);
  if (node.ports.size() > 1) {
    *out += fmt::format("    default_output: {}\n", node.ports.front().name);
  }
  if (!node.config.empty()) {
    *out += "    config:\n";
  }
  for (const auto& [key, value] : node.config) {
    *out += fmt::format("      {}: {}\n", key, value);
  }
}

void AppendConnections(const Plan& plan, const PlanNode& node, std::string* out) {
  for (const PlanPort& port : node.ports) {
    std::vector<std::string_view> names;
    for (const size_t destination : port.destinations) {
      names.push_back(plan.nodes[destination].name);
    }
    *out += fmt::format("  - {{from: '{}[\"{}\"]', to: [{}], policies: {{dispatch: {}}}}}\n",
                        node.name, port.name, fmt::join(names, ", "), Name(port.strategy));
  }
}

}  // namespace

std::string Plan::ToYaml() const {
  std::string text =
      fmt::format("# seed {}: batches [{}], drain after {} us, order of coroutines: {}{}\n", seed,
                  fmt::join(num_batches, ", "), drain_after.count() / 1000,
                  is_order_random ? "random" : "fifo", is_restarted ? ", restarted" : "");
  text += fmt::format("policies:\n  channel_capacity: {{pdata: {}, pdata_bytes: {}}}\n",
                      max_messages, max_bytes);
  if (memory.soft_bytes != INT64_MAX) {
    text += fmt::format("  resources: {{memory: {{soft_limit: {}, hard_limit: {}}}}}\n",
                        memory.soft_bytes, memory.hard_bytes);
  }
  text += fmt::format("  shutdown: {{drain_timeout: {}ms}}\nnodes:\n",
                      drain_timeout.count() / 1'000'000);
  for (const PlanNode& node : nodes) {
    AppendNode(node, &text);
  }
  text += "connections:\n";
  for (const PlanNode& node : nodes) {
    AppendConnections(*this, node, &text);
  }
  return text;
}

Plan DrawPlan(uint64_t seed, const engine::NodeRegistry& registry) {
  return Draw(seed, registry).Make();
}

}  // namespace df::sim
