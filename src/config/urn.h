// Names of kinds of nodes.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace df::config {

/// `urn:<namespace>:<kind>:<id>`, canonical: scheme, namespace and kind in lower case.
struct NodeUrn {
  std::string name_space;
  std::string kind;  ///< receiver, processor or exporter
  std::string id;

  std::string ToString() const { return "urn:" + name_space + ":" + kind + ":" + id; }
  /// `<kind>:<id>` where the namespace is otel, else the whole URN.
  std::string ToShortString() const { return name_space == "otel" ? kind + ":" + id : ToString(); }
};

/// Parses a URN or, for namespace otel, `<kind>:<id>`. Blanks around it are left out; scheme,
/// namespace and kind may be in upper case. Errors: Invalid; says what was found and expected.
Result<NodeUrn> ParseNodeUrn(std::string_view text);

}  // namespace df::config
