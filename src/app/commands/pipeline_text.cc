#include "app/commands/pipeline_text.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace df::app {

std::string PipelineSource(const NodeText& receiver, const NodeText& exporter, bool retries,
                           const std::optional<NodeText>& dead_letters,
                           const std::string& on_error) {
  std::vector<std::string> nodes = {
      fmt::format(R"("source":{{"type":"{}","config":{}}})", receiver.type, receiver.config)};
  std::vector<std::string> connections;
  std::string from = "source";
  const auto connect = [&](const std::string& to) {
    connections.push_back(fmt::format(R"({{"from":"{}","to":"{}"}})", from, to));
    from = to;
  };
  if (dead_letters.has_value()) {
    nodes.push_back(fmt::format(
        R"("refused":{{"type":"processor:dead_letters","default_output":"default","config":{{{}}}}})",
        on_error.empty() ? "" : fmt::format(R"("on_error":"{}")", on_error)));
    connect("refused");
    nodes.push_back(fmt::format(R"("dead_letters":{{"type":"{}","config":{}}})", dead_letters->type,
                                dead_letters->config));
    connections.emplace_back(R"({"from":"refused[\"dead_letters\"]","to":"dead_letters"})");
  }
  if (retries) {
    nodes.emplace_back(R"("retry":{"type":"processor:retry","config":{"initial_interval":"1s"}})");
    connect("retry");
  }
  nodes.push_back(
      fmt::format(R"("destination":{{"type":"{}","config":{}}})", exporter.type, exporter.config));
  connect("destination");
  return fmt::format(
      R"(yaml:{{"version":"otel_dataflow/v1","groups":{{"default":{{"pipelines":{{"main":{{"nodes":)"
      R"({{{}}},"connections":[{}]}}}}}}}}}})",
      fmt::join(nodes, ","), fmt::join(connections, ","));
}

}  // namespace df::app
