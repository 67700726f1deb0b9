// Sends batches to an OTLP server over HTTP/1.1.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "delivery/request_limit.h"
#include "delivery/request_window.h"
#include "engine/node.h"
#include "nodes/exporters/otlp_http/config.h"
#include "runtime/http1/client.h"

namespace df::nodes::exporters::otlp_http {

/// One POST for each request of a window.
class OtlpHttpExporter final : public engine::Exporter, private delivery::RequestTransport {
 public:
  /// `tls` is null where no endpoint is encrypted.
  OtlpHttpExporter(std::shared_ptr<const OtlpHttpConfig> config,
                   std::shared_ptr<const runtime::TlsContext> tls)
      : config_(std::move(config)), tls_(std::move(tls)) {}

  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  engine::NodeReport Report() override;

 private:
  struct Destination {
    std::string path;
    runtime::http1::Client* client = nullptr;
    delivery::RequestLimit* limit = nullptr;
  };
  struct Server {
    std::unique_ptr<runtime::http1::Client> client;
    std::unique_ptr<delivery::RequestLimit> limit;
  };

  const Destination& DestinationOf(otap::Signal signal) const {
    return destinations_[static_cast<size_t>(signal)];
  }
  Result<runtime::http1::Request> MakeRequest(otap::Signal signal, std::string body);
  runtime::Task<delivery::RequestAnswer> Send(otap::Signal signal, std::string body) override;
  void OnGivenUp() override;
  telemetry::Counter& RequestsOf(const std::string& status);

  std::shared_ptr<const OtlpHttpConfig> config_;
  std::shared_ptr<const runtime::TlsContext> tls_;
  engine::Effects* effects_ = nullptr;       // set by Start, as are those below
  std::map<std::string, Server> servers_;    // by scheme and host
  std::array<Destination, 3> destinations_;  // by signal

  std::map<std::string, telemetry::Counter*> requests_;  // by status
  telemetry::Counter* request_bytes_ = nullptr;
  telemetry::Histogram* duration_ = nullptr;
  std::optional<delivery::RequestWindow> window_;  // goes before the servers
};

}  // namespace df::nodes::exporters::otlp_http
