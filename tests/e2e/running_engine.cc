#include "running_engine.h"

#include <fstream>
#include <vector>

#include <sched.h>

namespace df::e2e {
namespace {

/// One that the process may use.
int FirstCore() {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  int core = 0;
  while (core + 1 < CPU_SETSIZE && !CPU_ISSET(core, &allowed)) {
    ++core;
  }
  return core;
}

std::vector<std::string> ArgumentsFor(const std::filesystem::path& folder,
                                      const std::string& document) {
  std::ofstream(folder / "document.yaml") << document;
  return {"run", "-c", "document.yaml", "--core-id-range", std::to_string(FirstCore())};
}

/// Behind this stands the address.
const std::string kAddressIs = "admin interface on ";

}  // namespace

std::string GeneratorPipeline(const std::string& exporter) {
  return "nodes:\n"
         "  in: {type: receiver:traffic_generator, config: {traffic_config: {log_weight: 1}}}\n"
         "  out: {type: " +
         exporter +
         "}\n"
         "connections: [{from: in, to: out}]\n";
}

std::string EngineDocument(
    const std::map<std::string, std::map<std::string, std::string>>& pipelines,
    const std::string& admin) {
  std::string text =
      "version: otel_dataflow/v1\nengine:\n  http_admin:\n    bind_address: 127.0.0.1:0\n";
  text += admin.empty() ? "" : "    " + admin + "\n";
  text += "groups:\n";
  for (const auto& [group, members] : pipelines) {
    text += "  " + group + ":\n    pipelines:\n";
    for (const auto& [name, pipeline] : members) {
      text += "      " + name + ":\n        ";
      for (const char letter : pipeline.substr(0, pipeline.size() - 1)) {
        text += letter == '\n' ? "\n        " : std::string(1, letter);
      }
      text += "\n";
    }
  }
  return text;
}

RunningEngine::RunningEngine(const std::string& document)
    : process_(folder_.path(), {.arguments = ArgumentsFor(folder_.path(), document)}) {}

void RunningEngine::Rewrite(const std::string& document) const {
  std::ofstream(folder_.path() / "document.yaml") << document;
}

bool RunningEngine::WaitForLog(const std::string& text) {
  return process_.WaitForOutput([this, &text](const std::string& /*output*/) {
    return process_.Log().find(text) != std::string::npos;
  });
}

bool RunningEngine::is_ready() { return WaitForLog("running on"); }

std::string RunningEngine::address() const {
  const std::string log = process_.Log();
  const size_t begin = log.find(kAddressIs);
  if (begin == std::string::npos) {
    return "";
  }
  const size_t from = begin + kAddressIs.size();
  return log.substr(from, log.find('\n', from) - from);
}

}  // namespace df::e2e
