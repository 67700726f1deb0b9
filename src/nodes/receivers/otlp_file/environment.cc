#include "engine/environment.h"

#include <utility>

#include "nodes/receivers/otlp_file/config.h"
#include "nodes/receivers/otlp_file/file_sums.h"
#include "otlp/request_file.h"

namespace df::nodes::receivers::otlp_file {
namespace {

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const OtlpFileConfig config = config::Read(OtlpFileFields(), section);
  const auto paths = df::otlp::ExpandPath(config.path);
  if (paths.ok() && paths->size() == 1) {
    engine::AddReadCheck(section, "path", paths->front(), checks);
    return;
  }
  // Of many files the names are looked at, as they are before a start.
  engine::EnvironmentCheck check = engine::MakeCheck(section, "path", "read", config.path);
  check.run = [config](const engine::CheckConditions&) {
    return engine::FindingOf(FileSums::Make(config).status());
  };
  checks->push_back(std::move(check));
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:receiver:otlp_file",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::receivers::otlp_file
