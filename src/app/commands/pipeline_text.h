// The document of a pipeline that a command line describes.
#pragma once

#include <optional>
#include <string>

namespace df::app {

/// A node: its type and its configuration as JSON.
struct NodeText {
  std::string type;
  std::string config;
};

/// Returns the document of one pipeline, as the source that -c takes: a receiver, a node that
/// retries what was refused temporarily where `retries`, and an exporter. What that one refuses
/// permanently goes to `dead_letters`, another exporter, where there is one; `on_error` is what
/// processor:dead_letters calls so, "" for its default.
std::string PipelineSource(const NodeText& receiver, const NodeText& exporter, bool retries,
                           const std::optional<NodeText>& dead_letters = std::nullopt,
                           const std::string& on_error = "");

}  // namespace df::app
