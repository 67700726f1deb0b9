// Everything that a document asks for, checked: what may be started.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/engine_document.h"
#include "engine/graph.h"

namespace df::engine {

/// What a document is checked against besides itself.
struct EngineContext {
  std::vector<int> allowed_cores;  ///< that the process may use, ascending
  /// Cores that running pipelines hold by set or count, for a document that comes to them.
  std::vector<int> reserved_cores;
  /// engine.state_dir of the engine that is running, whatever the document says by now; nothing:
  /// none runs yet.
  std::optional<std::string> state_dir = std::nullopt;
};

struct CheckedEngine {
  config::EngineSettings settings;
  config::Policies policies;  ///< of the top scope, resolved
  std::vector<CheckedPipeline> pipelines;
  std::vector<std::string> notices;  ///< "document:line:column: path: what has no effect"
  config::EngineDocument
      document;  ///< for PrintEngine, and for scopes of pipelines that come later
};

/// Checks a document. Everything that is wrong, pipelines and cores included, is added to
/// `problems`; an engine is returned only when they are empty. Starts and touches nothing.
std::optional<CheckedEngine> CheckEngine(config::EngineDocument document,
                                         const NodeRegistry& registry, const EngineContext& context,
                                         config::Problems* problems);

/// Parses and checks the text of a document of either form; nothing is substituted. `name` stands
/// for it in messages. Errors: config, with every problem on a line of its own.
Result<CheckedEngine> LoadEngine(std::string_view text, const std::string& name,
                                 const NodeRegistry& registry, const EngineContext& context);

/// Names a pipeline of a process.
struct PipelineKey {
  std::string group;
  std::string name;
  auto operator<=>(const PipelineKey&) const = default;
};

/// Parses and checks a pipeline that stands alone: an entry of `pipelines`, or a document of the
/// prototype's form. Its policies are resolved with those of its group (default ones where
/// `enclosing` has no such group) and of the top. Nothing is substituted. Errors: config, as above.
Result<CheckedPipeline> CheckPipelineText(std::string_view text, const std::string& name,
                                          const PipelineKey& key,
                                          const config::EngineDocument& enclosing,
                                          const NodeRegistry& registry,
                                          const EngineContext& context);

/// Returns the effective form of one pipeline, an entry of `pipelines` as PrintEngine writes it.
config::ValuePtr EffectivePipeline(const config::PipelineDocument& pipeline,
                                   const NodeRegistry& registry);

/// Returns the effective document in v1 form: every key of every node with its value or default,
/// and every policy as it holds for its pipeline. Text that was written with a reference to the
/// environment still is.
config::ValuePtr EffectiveEngine(const config::EngineDocument& document,
                                 const NodeRegistry& registry);

/// Writes it as YAML, with whatever is secret in it. Printing what is read from the text gives the
/// same text.
std::string PrintEngine(const config::EngineDocument& document, const NodeRegistry& registry);

/// Writes the JSON Schema (draft 2020-12) of v1 documents, from the tables that read them.
std::string DocumentSchema(const NodeRegistry& registry);

}  // namespace df::engine
