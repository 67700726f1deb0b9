// What a node is made from: its checked configuration and the state that its instances share.
#pragma once

#include <memory>

namespace df::engine {

/// The checked configuration of a node. Owner: immutable, shared by all instances.
struct NodeConfig {
  virtual ~NodeConfig() = default;
};
using NodeConfigPtr = std::shared_ptr<const NodeConfig>;

/// State of a node that all its instances share, one a process. Synchronises itself.
struct NodeShared {
  virtual ~NodeShared() = default;
};
using NodeSharedPtr = std::shared_ptr<NodeShared>;

}  // namespace df::engine
