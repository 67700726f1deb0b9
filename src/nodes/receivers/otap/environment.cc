#include "engine/environment.h"

#include "nodes/receivers/otap/config.h"

namespace df::nodes::receivers::otap {
namespace {

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const OtapConfig config = config::Read(OtapFields(), section);
  engine::AddListenCheck(section, "listening_addr", config.listening_addr, checks);
  if (config.tls.has_value()) {
    engine::AddServerTlsCheck(*section.Find("tls"), *config.tls, checks);
  }
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:receiver:otap",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::receivers::otap
