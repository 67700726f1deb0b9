// What the engine knows about a kind of node, and where it looks it up.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/field_table.h"
#include "engine/node.h"
#include "engine/node_config.h"

namespace df::engine {

/// What a configuration may be checked against besides itself.
struct ValidateContext {
  int num_cores = 1;
  std::string state_dir = {};  ///< of the engine (engine.state_dir); empty: not set
};

/// Describes one kind of node. Each node folder defines one, named kDescriptor, in factory.cc:
///
///   const engine::NodeDescriptor kDescriptor = {
///       .urn = "urn:otel:exporter:noop",
///       .kind = engine::NodeKind::kExporter,
///       .summary = "takes every batch and forgets it",
///       .fields = [] { return config::Describe(NoopFields()); },
///       .parse = [](const config::Section& section, const engine::ValidateContext&) {
///         return engine::NodeConfigPtr(
///             std::make_shared<const NoopConfig>(config::Read(NoopFields(), section)));
///       },
///       .make_exporter = MakeNoop,
///   };
struct NodeDescriptor {
  std::string_view urn;  ///< "urn:otel:<kind>:<name>"
  NodeKind kind;
  std::string_view summary;  ///< half a sentence for --help

  std::vector<config::FieldDescription> (*fields)() = nullptr;

  /// Reads the `config` of a node; problems go to the section. Starts and touches nothing.
  NodeConfigPtr (*parse)(const config::Section& section, const ValidateContext& context) = nullptr;

  /// The node has an OnConfig: a change of its configuration does not replace its pipeline.
  bool applies_config = false;
  /// With applies_config: tells whether OnConfig can apply this change; one that it cannot replaces
  /// the pipeline. Null: it can apply every change. Starts and touches nothing.
  bool (*can_apply)(const NodeConfig& from, const NodeConfig& to) = nullptr;

  /// The node takes batches that are still requests (otap::EncodedRequest); for all others the
  /// engine decodes them first, and refuses for good what is malformed.
  bool takes_encoded = false;

  /// Makes what the instances share; null when they share nothing. Called before any instance.
  Result<NodeSharedPtr> (*make_shared)(const NodeConfig& config,
                                       const ValidateContext& context) = nullptr;

  /// Exactly one of these is set, the one of the kind. `shared` is null without make_shared.
  Result<std::unique_ptr<Receiver>> (*make_receiver)(const NodeConfigPtr& config,
                                                     const NodeSharedPtr& shared,
                                                     const InstanceInfo& info) = nullptr;
  Result<std::unique_ptr<Processor>> (*make_processor)(const NodeConfigPtr& config,
                                                       const NodeSharedPtr& shared,
                                                       const InstanceInfo& info) = nullptr;
  Result<std::unique_ptr<Exporter>> (*make_exporter)(const NodeConfigPtr& config,
                                                     const NodeSharedPtr& shared,
                                                     const InstanceInfo& info) = nullptr;

  /// Makes one report of those of all instances, in their order; null puts them one after another.
  NodeReport (*merge_reports)(const NodeShared* shared,
                              std::span<const NodeReport> reports) = nullptr;
};

/// The kinds of node that a document may name. Owner: borrows the descriptors.
class NodeRegistry {
 public:
  explicit NodeRegistry(std::span<const NodeDescriptor* const> descriptors)
      : descriptors_(descriptors.begin(), descriptors.end()) {}

  /// Returns the descriptor of a URN, or null.
  const NodeDescriptor* Find(std::string_view urn) const;

  /// Returns the URNs of a kind.
  std::vector<std::string> UrnsOf(NodeKind kind) const;

  const std::vector<const NodeDescriptor*>& descriptors() const { return descriptors_; }

 private:
  std::vector<const NodeDescriptor*> descriptors_;
};

}  // namespace df::engine
