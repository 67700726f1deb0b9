#include "app/commands/pipeline_text.h"

#include <fmt/format.h>

namespace df::app {

std::string PipelineSource(const NodeText& receiver, const NodeText& exporter, bool retries) {
  const std::string retry =
      retries ? R"("retry":{"type":"processor:retry","config":{"initial_interval":"1s"}},)" : "";
  const std::string connections =
      retries ? R"({"from":"source","to":"retry"},{"from":"retry","to":"destination"})"
              : R"({"from":"source","to":"destination"})";
  return fmt::format(
      R"(yaml:{{"version":"otel_dataflow/v1","groups":{{"default":{{"pipelines":{{"main":{{"nodes":)"
      R"({{"source":{{"type":"{}","config":{}}},{}"destination":{{"type":"{}","config":{}}}}},)"
      R"("connections":[{}]}}}}}}}}}})",
      receiver.type, receiver.config, retry, exporter.type, exporter.config, connections);
}

}  // namespace df::app
