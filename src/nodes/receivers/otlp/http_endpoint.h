// OTLP over HTTP/1.1: paths, content types, codings and status codes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "nodes/receivers/otlp/config.h"
#include "nodes/receivers/otlp/export_service.h"
#include "nodes/receivers/otlp/request_metrics.h"
#include "runtime/http1/server.h"
#include "telemetry/metric_set.h"

namespace df::nodes::receivers::otlp {

/// Owner: borrows the service and the metrics. Calls: the loop.
class HttpEndpoint final : public runtime::http1::RequestHandler {
 public:
  /// Errors: those of Server::Listen.
  static Result<std::unique_ptr<HttpEndpoint>> Listen(
      runtime::EventLoop* loop, const HttpConfig& config, const std::string& owner,
      std::shared_ptr<const runtime::TlsContext> tls, ExportService* service,
      telemetry::MetricSet* metrics);

  uint16_t port() const { return server_->port(); }
  /// Takes no connections any more; those there are end with their answers.
  void Stop() { server_->Stop(); }
  runtime::Task<> Drain(runtime::SteadyTime deadline) { return server_->Drain(deadline); }

  std::optional<runtime::http1::Response> Admit(const runtime::http1::Request& head) override;
  runtime::Task<runtime::http1::Response> Respond(runtime::http1::Request request) override;
  runtime::http1::Response Refuse(int status, std::string_view reason,
                                  const runtime::http1::Request& head) override;

 private:
  HttpEndpoint(const HttpConfig& config, ExportService* service, telemetry::MetricSet* metrics);

  std::optional<runtime::http1::Response> Check(const runtime::http1::Request& head);
  runtime::Task<runtime::http1::Response> Answer(runtime::http1::Request request);
  runtime::http1::Response MakeRefusal(int status, std::string_view reason,
                                       df::otlp::Encoding encoding);
  void AddCors(const std::string& origin, runtime::http1::Response* response) const;
  runtime::http1::Response Problem(int status, AnswerCode code, std::string_view message,
                                   df::otlp::Encoding encoding, std::string_view metric_reason);
  runtime::http1::Response ResponseOf(const ExportAnswer& answer, otap::Signal signal,
                                      df::otlp::Encoding encoding);

  HttpConfig config_;
  ExportService* service_;
  RequestMetrics metrics_;
  std::unique_ptr<runtime::http1::Server> server_;  // last: its calls use the rest
};

}  // namespace df::nodes::receivers::otlp
