// The document of a pipeline that a command line describes.
#pragma once

#include <string>

namespace df::app {

/// A node: its type and its configuration as JSON.
struct NodeText {
  std::string type;
  std::string config;
};

/// Returns the document of one pipeline, as the source that -c takes: a receiver, a node that
/// retries what was refused temporarily where `retries`, and an exporter.
std::string PipelineSource(const NodeText& receiver, const NodeText& exporter, bool retries);

}  // namespace df::app
