// A pipeline as a document describes it, the same for both forms of document.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/field_table.h"
#include "config/policies.h"
#include "config/policy_set.h"
#include "config/value.h"

namespace df::config {

/// How a port with several destinations hands out its batches.
enum class DispatchStrategy : uint8_t {
  kBroadcast,    ///< every destination gets every batch
  kRoundRobin,   ///< one after the other
  kRandom,       ///< any one
  kLeastLoaded,  ///< the one with the fewest bytes waiting
};

/// A name and where it stands.
struct Reference {
  std::string name;
  Mark mark;
  std::string path;  ///< of keys, for problems
};

struct PortDocument {
  std::string name;
  Mark mark;
  std::string path;
  std::vector<Reference> destinations;
  DispatchStrategy strategy = DispatchStrategy::kRoundRobin;
};

enum class NodeKindName : uint8_t { kReceiver, kProcessor, kExporter };

struct NodeDocument {
  std::string name;
  Mark mark;
  std::string path;
  std::optional<NodeKindName> kind;  ///< empty when it was refused
  Reference urn;                     ///< canonical; empty when it was refused
  std::string description;
  std::vector<PortDocument> ports;  ///< connected ones
  std::vector<Reference> outputs;   ///< the declared ones
  std::optional<Reference> default_port;
  ValuePtr config;  ///< a null value when there is none
};

struct PipelineDocument {
  std::string group;
  std::string name;
  Mark mark;
  std::string path;  ///< of keys; empty where the pipeline is the whole document
  PolicySet own_policies;
  Policies policies;  ///< resolved
  /// Where the core allocation stands that was resolved; where the pipeline does when none is set.
  Mark core_allocation_mark;
  std::string core_allocation_path;
  std::vector<NodeDocument> nodes;  ///< in the order of the document
};

/// Reads a pipeline in the prototype's form. Everything that is wrong with the form is added to
/// `problems`; what is left is returned so that the rest can be checked as well.
PipelineDocument ReadPrototypePipeline(const ValuePtr& root, Problems* problems);

/// Reads an entry of `pipelines` of a v1 document.
PipelineDocument ReadPipeline(const Section& section, Problems* problems);

/// The name that the prototype's documents give a node, and its URN.
struct PrototypeUrn {
  std::string_view name;
  std::string_view urn;
};
std::span<const PrototypeUrn> PrototypeUrns();

/// Queue sizes of the prototype's `settings`, in messages.
struct PrototypeSettings {
  int64_t default_pipeline_ctrl_msg_channel_size = 100;
  int64_t default_node_ctrl_msg_channel_size = 100;
  int64_t default_pdata_channel_size = 100;
};

/// The keys of `settings`.
const FieldTable<PrototypeSettings>& PrototypeSettingsFields();

}  // namespace df::config
