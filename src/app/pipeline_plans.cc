#include "app/pipeline_plans.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/engine_document.h"
#include "config/value_writer.h"

namespace df::app {
namespace {

using config::Value;
using config::ValuePtr;

constexpr std::string_view kReplaced = "[redacted]";

/// Parts of keys under which people keep what others must not see.
constexpr auto kSecretParts = std::to_array<std::string_view>(
    {"password", "secret", "token", "credential", "headers", "api_key", "account_key"});

bool NamesSecret(std::string_view key) {
  // A file that holds a secret is not one.
  return !key.ends_with("_file") &&
         std::any_of(kSecretParts.begin(), kSecretParts.end(), [key](std::string_view part) {
           return key.find(part) != std::string_view::npos;
         });
}

/// Tells whether a text stands elsewhere as a whole: a default would be in the document.
bool IsReferenceOnly(std::string_view written) {
  return (written.starts_with("${env:") || written.starts_with("${file:")) &&
         written.find('}') == written.size() - 1 && written.find(":-") == std::string_view::npos;
}

/// The reference to the environment instead of what the environment has, in YAML and in JSON.
ValuePtr AsWritten(const Value& value) {
  auto written = std::make_shared<Value>();
  written->kind = Value::Kind::kScalar;
  written->scalar = value.reference;
  written->reference = value.reference;
  written->is_quoted = value.is_quoted;
  return written;
}

ValuePtr Replaced(const ValuePtr& value) {
  if (value == nullptr || value->kind == Value::Kind::kNull) {
    return value;
  }
  if (IsReferenceOnly(value->reference)) {
    return AsWritten(*value);
  }
  if (value->kind == Value::Kind::kMap) {
    std::vector<std::pair<std::string, ValuePtr>> entries;
    for (const Value::Entry& entry : value->entries) {
      entries.emplace_back(entry.key, Replaced(entry.value));
    }
    return config::MakeMap(std::move(entries));
  }
  return config::MakeText(std::string(kReplaced));
}

/// The map without one key.
ValuePtr Without(const Value& map, std::string_view key) {
  std::vector<std::pair<std::string, ValuePtr>> entries;
  for (const Value::Entry& entry : map.entries) {
    if (entry.key != key) {
      entries.emplace_back(entry.key, entry.value);
    }
  }
  return config::MakeMap(std::move(entries));
}

/// The policies but for the cores: those may change without a new generation.
std::string PoliciesOf(const Value& pipeline) {
  const Value* policies = pipeline.Find("policies");
  if (policies == nullptr) {
    return "";
  }
  const Value* resources = policies->Find("resources");
  return config::ToJson(*Without(*policies, "resources")) +
         (resources == nullptr ? "" : config::ToJson(*Without(*resources, "core_allocation")));
}

std::string JsonOf(const Value* value) { return value == nullptr ? "" : config::ToJson(*value); }

}  // namespace

ValuePtr WithoutSecrets(const ValuePtr& value) {
  if (value == nullptr) {
    return value;
  }
  if (value->kind == Value::Kind::kList) {
    std::vector<ValuePtr> items;
    for (const ValuePtr& item : value->items) {
      items.push_back(WithoutSecrets(item));
    }
    return config::MakeList(std::move(items));
  }
  if (value->kind != Value::Kind::kMap) {
    return value->reference.empty() ? value : AsWritten(*value);
  }
  std::vector<std::pair<std::string, ValuePtr>> entries;
  for (const Value::Entry& entry : value->entries) {
    entries.emplace_back(
        entry.key, NamesSecret(entry.key) ? Replaced(entry.value) : WithoutSecrets(entry.value));
  }
  return config::MakeMap(std::move(entries));
}

controller::PipelinePlanPtr MakePlan(engine::CheckedPipeline pipeline) {
  auto plan = std::make_shared<controller::PipelinePlan>();
  const Value* nodes = pipeline.effective->Find("nodes");
  for (const engine::CheckedNode& node : pipeline.nodes) {
    const Value* entry = nodes == nullptr ? nullptr : nodes->Find(node.name);
    plan->node_configs.push_back(JsonOf(entry == nullptr ? nullptr : entry->Find("config")));
  }
  plan->policies = PoliciesOf(*pipeline.effective);
  plan->document = config::ToJson(*WithoutSecrets(pipeline.effective));
  plan->pipeline = std::move(pipeline);
  return plan;
}

std::vector<controller::PipelinePlanPtr> MakePlans(std::vector<engine::CheckedPipeline> pipelines) {
  std::vector<controller::PipelinePlanPtr> plans;
  for (engine::CheckedPipeline& pipeline : pipelines) {
    plans.push_back(MakePlan(std::move(pipeline)));
  }
  return plans;
}

Result<controller::PipelinePlanPtr> CheckPlan(const controller::PipelineKey& key,
                                              std::string_view text,
                                              std::span<const controller::PipelinePlanPtr> others,
                                              const config::EngineDocument& document,
                                              const engine::NodeRegistry& registry,
                                              const std::vector<int>& allowed_cores) {
  engine::EngineContext context{.allowed_cores = allowed_cores};
  for (const controller::PipelinePlanPtr& other : others) {
    // Those that share every core reserve none.
    if (other->pipeline.policies.core_allocation.kind != config::CoreAllocation::Kind::kAllCores) {
      context.reserved_cores.insert(context.reserved_cores.end(), other->pipeline.cores.begin(),
                                    other->pipeline.cores.end());
    }
  }
  std::sort(context.reserved_cores.begin(), context.reserved_cores.end());
  ARROW_ASSIGN_OR_RAISE(engine::CheckedPipeline pipeline,
                        engine::CheckPipelineText(text, "body", {key.group, key.pipeline}, document,
                                                  registry, context));
  return MakePlan(std::move(pipeline));
}

std::string PrintPlans(std::span<const controller::PipelinePlanPtr> plans,
                       const config::EngineDocument& document) {
  std::vector<std::string> groups;
  for (const controller::PipelinePlanPtr& plan : plans) {
    if (std::find(groups.begin(), groups.end(), plan->pipeline.group) == groups.end()) {
      groups.push_back(plan->pipeline.group);
    }
  }
  std::vector<std::pair<std::string, ValuePtr>> group_entries;
  for (const std::string& group : groups) {
    std::vector<std::pair<std::string, ValuePtr>> pipelines;
    for (const controller::PipelinePlanPtr& plan : plans) {
      if (plan->pipeline.group == group) {
        pipelines.emplace_back(plan->pipeline.name, plan->pipeline.effective);
      }
    }
    group_entries.emplace_back(
        group, config::MakeMap({{"pipelines", config::MakeMap(std::move(pipelines))}}));
  }
  return config::ToJson(*WithoutSecrets(
      config::MakeMap({{"version", config::MakeText(std::string(config::kDocumentVersion))},
                       {"engine", document.engine},
                       {"groups", config::MakeMap(std::move(group_entries))}})));
}

}  // namespace df::app
