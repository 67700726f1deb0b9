#include "nodes/exporters/otlp_grpc/config.h"

#include "config/inherited_fields.h"

namespace df::nodes::exporters::otlp_grpc {

const config::FieldTable<OtlpGrpcConfig>& OtlpGrpcFields() {
  static const config::FieldTable<OtlpGrpcConfig> kTable = [] {
    auto table = config::Inherit<OtlpGrpcConfig>(delivery::GrpcClientFields());
    table.push_back(config::Integer("max_in_flight", &OtlpGrpcConfig::max_in_flight, {1, 65'536},
                                    "calls under way at a time; more batches wait"));
    table.push_back(config::Integer("num_connections", &OtlpGrpcConfig::num_connections, {1, 256},
                                    "connections of each core, used in turn"));
    table.push_back(config::Size("max_request_bytes", &OtlpGrpcConfig::max_request_bytes,
                                 {delivery::kLeastMaxRequestBytes, delivery::kMostMaxRequestBytes},
                                 "a batch that is larger, before compression, is sent in parts"));
    return table;
  }();
  return kTable;
}

}  // namespace df::nodes::exporters::otlp_grpc
