// The layers of the tree and who may include whom, as cmake/layers.txt states it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include <arrow/result.h>

namespace df::layers {

/// What one layer's files may include besides their own layer.
struct LayerEdges {
  std::set<std::string, std::less<>> always;
  std::set<std::string, std::less<>> in_tests;  ///< marked with '+' in the file
};

/// The parsed layers file.
class LayerMap {
 public:
  /// Reads lines of the form `layer: other other +test_only_other`; '#' starts a comment line.
  /// Errors: Invalid, naming the line, for a line without a colon, a layer stated twice, an edge to
  /// a layer that is not stated, and edges that lead back to where they start.
  static arrow::Result<LayerMap> Parse(std::string_view text);

  bool Contains(std::string_view layer) const { return edges_.find(layer) != edges_.end(); }

  /// Whether a file of `from` may include a file of `to`. `is_test` adds the edges for tests and
  /// the layer of test support, `testing`.
  bool Allows(std::string_view from, std::string_view to, bool is_test) const;

 private:
  std::map<std::string, LayerEdges, std::less<>> edges_;
};

}  // namespace df::layers
