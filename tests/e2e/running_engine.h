// An engine that serves its admin interface while a test asks it things.
#pragma once

#include <map>
#include <string>

#include "engine_process.h"

namespace df::e2e {

/// Returns one entry of `pipelines` that makes log records up and sends them to an exporter, like
/// "exporter:noop" or "exporter:file, config: {path: x}".
std::string GeneratorPipeline(const std::string& exporter);

/// Returns a document of groups of pipelines, on one core each, whose admin interface listens at a
/// free port of 127.0.0.1; `admin` is one more key of it, as "key: value".
std::string EngineDocument(
    const std::map<std::string, std::map<std::string, std::string>>& pipelines,
    const std::string& admin);

/// Owner: the destructor ends it.
class RunningEngine {
 public:
  explicit RunningEngine(const std::string& document);

  /// Waits until it runs. Returns whether it does.
  bool is_ready();
  /// Waits until the log has a text. Returns whether it has.
  bool WaitForLog(const std::string& text);
  /// Writes another document in the place of the first one.
  void Rewrite(const std::string& document) const;
  std::string Log() const { return process_.Log(); }
  void Signal(int number) { process_.Signal(number); }
  int Wait() { return process_.Wait(); }

  /// "127.0.0.1:PORT" of the admin interface, once it is ready.
  std::string address() const;

 private:
  TemporaryFolder folder_;
  EngineProcess process_;
};

}  // namespace df::e2e
