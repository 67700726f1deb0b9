#include "config/engine_document.h"

#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "config/document_fields.h"
#include "config/pipeline_fields.h"

namespace df::config {
namespace {

/// Tells whether a pipeline that stands alone is in the prototype's form.
bool IsPrototypePipeline(const Value& root) {
  if (root.Find("settings") != nullptr) {
    return true;
  }
  const Value* nodes = root.Find("nodes");
  if (nodes == nullptr || root.Find("connections") != nullptr) {
    return false;
  }
  for (const Value::Entry& entry : nodes->entries) {
    if (entry.value->Find("plugin_urn") != nullptr || entry.value->Find("kind") != nullptr) {
      return true;
    }
  }
  return false;
}

void Resolve(std::span<const PolicySet* const> enclosing, PipelineDocument* pipeline) {
  std::vector<const PolicySet*> scopes = {&pipeline->own_policies};
  scopes.insert(scopes.end(), enclosing.begin(), enclosing.end());
  pipeline->policies = ResolvePolicies(scopes);
  for (const PolicySet* scope : scopes) {
    // What a flag has set has no place in the document.
    if (scope->core_allocation.has_value()) {
      if (!scope->core_allocation_path.empty()) {
        pipeline->core_allocation_mark = scope->core_allocation_mark;
        pipeline->core_allocation_path = scope->core_allocation_path;
      }
      return;
    }
  }
}

EngineDocument ReadPrototype(const ValuePtr& root, Problems* problems) {
  EngineDocument document;
  PipelineDocument pipeline = ReadPrototypePipeline(root, problems);
  pipeline.group = kDefaultGroup;
  pipeline.name = kDefaultPipeline;
  document.groups.push_back({.name = pipeline.group, .mark = root->mark});
  document.pipelines.push_back(std::move(pipeline));
  document.ResolvePipelinePolicies();
  return document;
}

void ReadPipelines(const Section& section, const std::string& group, Problems* problems,
                   EngineDocument* document) {
  if (section.value().kind == Value::Kind::kNull) {
    return;
  }
  if (section.value().kind != Value::Kind::kMap) {
    section.Add(fmt::format("found {}, expected a map of pipelines", section.value().Describe()));
    return;
  }
  for (const Value::Entry& entry : section.value().entries) {
    CheckScopeName(entry, section.path(), problems);
    PipelineDocument pipeline = ReadPipeline(section.At(entry), problems);
    pipeline.group = group;
    pipeline.name = entry.key;
    pipeline.mark = entry.key_mark;
    document->pipelines.push_back(std::move(pipeline));
  }
}

void ReadGroups(const Section& section, Problems* problems, EngineDocument* document) {
  if (section.value().kind == Value::Kind::kNull) {
    return;
  }
  if (section.value().kind != Value::Kind::kMap) {
    section.Add(fmt::format("found {}, expected a map of groups", section.value().Describe()));
    return;
  }
  for (const Value::Entry& entry : section.value().entries) {
    CheckScopeName(entry, section.path(), problems);
    if (entry.key == "system") {
      problems->Add(
          entry.key_mark,
          fmt::format("{}: the group name 'system' is reserved, expected another", section.path()));
    }
    const Section group = section.At(entry);
    GroupKeys keys = Read(GroupFields(), group);
    document->groups.push_back(
        {.name = entry.key, .mark = entry.key_mark, .policies = std::move(keys.policies)});
    if (const auto pipelines = group.Find("pipelines")) {
      ReadPipelines(*pipelines, entry.key, problems, document);
    }
  }
}

}  // namespace

const GroupDocument* EngineDocument::FindGroup(std::string_view name) const {
  for (const GroupDocument& group : groups) {
    if (group.name == name) {
      return &group;
    }
  }
  return nullptr;
}

void EngineDocument::ResolvePipelinePolicies() {
  std::map<std::string_view, const GroupDocument*> by_name;
  for (const GroupDocument& group : groups) {
    by_name.emplace(group.name, &group);
  }
  for (PipelineDocument& pipeline : pipelines) {
    if (const auto group = by_name.find(pipeline.group); group != by_name.end()) {
      Resolve(std::array{&group->second->policies, &std::as_const(policies)}, &pipeline);
    }
  }
}

EngineDocument ReadEngineDocument(const ValuePtr& root, Problems* problems) {
  const Value* version = root->Find("version");
  const bool is_v1 =
      version != nullptr || root->Find("groups") != nullptr || root->Find("engine") != nullptr;
  if (!is_v1) {
    return ReadPrototype(root, problems);
  }
  EngineDocument document;
  const Section section(*root, "", problems);
  DocumentKeys keys = Read(DocumentFields(), section);
  document.settings = std::move(keys.engine);
  document.policies = std::move(keys.policies);
  for (const Value::Entry& entry : root->entries) {
    if (entry.key == "engine") {
      document.engine = entry.value;
    }
  }
  if (const auto groups = section.Find("groups")) {
    ReadGroups(*groups, problems, &document);
  }
  document.ResolvePipelinePolicies();
  return document;
}

PipelineDocument ReadOnePipeline(const ValuePtr& root, const std::string& group,
                                 const std::string& name,
                                 std::span<const PolicySet* const> enclosing, Problems* problems) {
  PipelineDocument pipeline = IsPrototypePipeline(*root)
                                  ? ReadPrototypePipeline(root, problems)
                                  : ReadPipeline(Section(*root, "", problems), problems);
  pipeline.group = group;
  pipeline.name = name;
  Resolve(enclosing, &pipeline);
  return pipeline;
}

}  // namespace df::config
