// Rules about #include lines.
#pragma once

#include <vector>

#include "layers/layer_map.h"
#include "layers/source_tree.h"

namespace df::layers {

/// Checks every #include of a .h or .cc file under src/:
/// - a quoted one is written from src/ and its first folder is a layer the including layer may use;
/// - a node's folder (src/nodes/<kinds>/<name>/) includes no other node's;
/// - only tests (`*_test.cc`) and src/testing/ itself include testing/;
/// - only src/runtime and src/admin include Boost.Asio or Boost.Beast;
/// - nobody includes a .cc file.
std::vector<Violation> CheckIncludes(const SourceTree& tree, const LayerMap& layers);

}  // namespace df::layers
