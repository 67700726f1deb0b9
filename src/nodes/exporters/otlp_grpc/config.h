// Configuration of the OTLP/gRPC exporter.
#pragma once

#include <cstdint>

#include "config/field_table.h"
#include "delivery/grpc_client_fields.h"
#include "delivery/request_limit.h"

namespace df::nodes::exporters::otlp_grpc {

struct OtlpGrpcConfig : delivery::GrpcClientConfig {
  int64_t max_in_flight = 5;
  int64_t num_connections = 1;
  int64_t max_request_bytes = delivery::kDefaultMaxRequestBytes;  ///< before compression
};

const config::FieldTable<OtlpGrpcConfig>& OtlpGrpcFields();

}  // namespace df::nodes::exporters::otlp_grpc
