#include "engine/node_registry.h"

namespace df::engine {

const NodeDescriptor* NodeRegistry::Find(std::string_view urn) const {
  for (const NodeDescriptor* descriptor : descriptors_) {
    if (descriptor->urn == urn) {
      return descriptor;
    }
  }
  return nullptr;
}

std::vector<std::string> NodeRegistry::UrnsOf(NodeKind kind) const {
  std::vector<std::string> urns;
  for (const NodeDescriptor* descriptor : descriptors_) {
    if (descriptor->kind == kind) {
      urns.emplace_back(descriptor->urn);
    }
  }
  return urns;
}

}  // namespace df::engine
