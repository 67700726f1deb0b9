#include "nodes/exporters/otap/config.h"

#include "config/inherited_fields.h"

namespace df::nodes::exporters::otap {
namespace {

using otap_wire::BufferCompression;

const config::FieldTable<ArrowConfig>& ArrowFields() {
  static const config::FieldTable<ArrowConfig> kTable = {
      config::Enum("payload_compression", &ArrowConfig::payload_compression,
                   {{"none", BufferCompression::kNone},
                    {"lz4", BufferCompression::kLz4},
                    {"zstd", BufferCompression::kZstd}},
                   "compression of columns"),
      config::Size("max_dictionary_size", &ArrowConfig::max_dictionary_size,
                   {1 << 10, int64_t{1} << 30},
                   "a table whose dictionaries are larger begins its Arrow stream anew"),
  };
  return kTable;
}

constexpr config::Range kLifetimes = {0, int64_t{365} * 86'400 * 1'000'000'000};

}  // namespace

const config::FieldTable<OtapConfig>& OtapFields() {
  static const config::FieldTable<OtapConfig> kTable = [] {
    auto table = config::Inherit<OtapConfig>(delivery::GrpcClientFields());
    table.push_back(config::Group("arrow", &OtapConfig::arrow, ArrowFields(), "the Arrow streams"));
    table.push_back(config::Integer("streams_per_signal", &OtapConfig::streams_per_signal, {1, 64},
                                    "streams of each signal, all over one connection"));
    table.push_back(config::Integer("max_in_flight", &OtapConfig::max_in_flight, {1, 65'536},
                                    "batches of one stream without answer; more wait"));
    table.push_back(config::Integer("stream_queue_capacity", &OtapConfig::max_in_flight,
                                    {1, 65'536}, "older form of max_in_flight")
                        .OlderFormOf("max_in_flight"));
    table.push_back(config::Size("max_request_bytes", &OtapConfig::max_request_bytes,
                                 {delivery::kLeastMaxRequestBytes, delivery::kMostMaxRequestBytes},
                                 "a batch whose message is larger, before the compression of "
                                 "messages, is sent in parts"));
    table.push_back(config::Duration("max_stream_lifetime", &OtapConfig::max_stream_lifetime,
                                     "an older stream is replaced; 0: never", kLifetimes));
    return table;
  }();
  return kTable;
}

LaneSettings MakeLaneSettings(const OtapConfig& config) {
  LaneSettings settings;
  settings.max_in_flight = config.max_in_flight;
  settings.max_stream_lifetime = config.max_stream_lifetime;
  settings.max_request_bytes = config.max_request_bytes;
  settings.timeout = config.timeout;
  settings.producer.compression = config.arrow.payload_compression;
  settings.producer.dictionary_bytes = config.arrow.max_dictionary_size;
  return settings;
}

}  // namespace df::nodes::exporters::otap
