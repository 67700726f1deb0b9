// A pipeline document in the prototype's form, read but not yet checked against the nodes that
// exist.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/field_table.h"
#include "config/value.h"

namespace df::config {

/// `settings`: how many messages the queues hold.
struct PipelineSettings {
  int64_t default_pipeline_ctrl_msg_channel_size = 100;
  int64_t default_node_ctrl_msg_channel_size = 100;
  int64_t default_pdata_channel_size = 100;
};

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
};

struct PortDocument {
  std::string name;
  Mark mark;
  std::vector<Reference> destinations;
  DispatchStrategy strategy = DispatchStrategy::kRoundRobin;
};

enum class NodeKindName : uint8_t { kReceiver, kProcessor, kExporter };

struct NodeDocument {
  std::string name;
  Mark mark;
  std::optional<NodeKindName> kind;  ///< empty when it was refused
  Mark kind_mark;
  Reference urn;
  std::string description;
  std::vector<PortDocument> ports;
  std::optional<Reference> default_port;
  ValuePtr config;  ///< a null value when there is none
};

struct PipelineDocument {
  PipelineSettings settings;
  std::vector<NodeDocument> nodes;  ///< in the order of the document
};

/// Reads `root`. Everything that is wrong with the form is added to `problems`; what is left is
/// returned so that the rest can be checked as well.
PipelineDocument ReadPipelineDocument(const ValuePtr& root, Problems* problems);

/// The keys of `settings`.
const FieldTable<PipelineSettings>& SettingsFields();

}  // namespace df::config
