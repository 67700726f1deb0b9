// A whole document, read but not yet checked against the nodes that exist.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/engine_settings.h"
#include "config/pipeline_document.h"
#include "config/policy_set.h"

namespace df::config {

/// The version that documents must name. A document that names none is in the prototype's form, one
/// pipeline with nodes and their ports; it becomes the pipeline `main` of the group `default`.
inline constexpr std::string_view kDocumentVersion = "otel_dataflow/v1";
inline constexpr std::string_view kDefaultGroup = "default";
inline constexpr std::string_view kDefaultPipeline = "main";

struct GroupDocument {
  std::string name;
  Mark mark;
  PolicySet policies;
};

struct EngineDocument {
  EngineSettings settings;
  ValuePtr engine;     ///< `engine` as written; null when there is none
  PolicySet policies;  ///< of the top scope
  std::vector<GroupDocument> groups;
  std::vector<PipelineDocument> pipelines;  ///< in the order of the document

  const GroupDocument* FindGroup(std::string_view name) const;
  /// Resolves the policies of every pipeline anew, after a change of those of the top.
  void ResolvePipelinePolicies();
};

/// Reads `root` in either form. Everything that is wrong with the form is added to `problems`; what
/// is left is returned so that the rest can be checked as well.
EngineDocument ReadEngineDocument(const ValuePtr& root, Problems* problems);

/// Reads one entry of `pipelines`, or a document of the prototype's form, as the pipeline of that
/// name. Its policies are resolved with those of the scopes around it, the nearest first.
PipelineDocument ReadOnePipeline(const ValuePtr& root, const std::string& group,
                                 const std::string& name,
                                 std::span<const PolicySet* const> enclosing, Problems* problems);

/// The keys of `engine`.
const FieldTable<EngineSettings>& EngineFields();

}  // namespace df::config
