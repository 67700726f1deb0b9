#include "engine/environment.h"

#include "nodes/receivers/otlp/config.h"

namespace df::nodes::receivers::otlp {
namespace {

/// What either protocol needs. `section` is that of the protocol.
template <typename Protocol>
void AddProtocol(const config::Section& section, const Protocol& protocol,
                 engine::EnvironmentChecks* checks) {
  engine::AddListenCheck(section, "listening_addr", protocol.listening_addr, checks);
  if (protocol.tls.has_value()) {
    engine::AddServerTlsCheck(*section.Find("tls"), *protocol.tls, checks);
  }
}

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const OtlpConfig config = config::Read(OtlpFields(), section);
  const auto protocols = section.Find("protocols");
  if (config.protocols.grpc.has_value()) {
    AddProtocol(*protocols->Find("grpc"), *config.protocols.grpc, checks);
  }
  if (config.protocols.http.has_value()) {
    AddProtocol(*protocols->Find("http"), *config.protocols.http, checks);
  }
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:receiver:otlp",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::receivers::otlp
