#include "nodes/receivers/otlp_file/config.h"

namespace df::nodes::receivers::otlp_file {

const config::FieldTable<OtlpFileConfig>& OtlpFileFields() {
  using otap::Signal;
  static const config::FieldTable<OtlpFileConfig> kTable = {
      config::String("path", &OtlpFileConfig::path,
                     "a file, a folder whose files are all read, or a pattern with *, ? and [..]")
          .Required(),
      config::Enum(
          "format", &OtlpFileConfig::format,
          {{"by_name", FileFormat::kByName},
           {"otlp_json", FileFormat::kJson},
           {"otlp_proto", FileFormat::kProto}},
          "how requests stand in the files; by_name: as JSON in .json, .jsonl and .ndjson, "
          "as protobuf behind their lengths in all others"),
      config::EnumList(
          "signal_types", &OtlpFileConfig::signal_types,
          {{"logs", Signal::kLogs}, {"traces", Signal::kTraces}, {"metrics", Signal::kMetrics}},
          "signals to send; with one of them, files of protobuf need not have it in their names"),
      config::Size("max_request_size", &OtlpFileConfig::max_request_size, {1_KiB, 1_GiB},
                   "a request with more bytes is not read"),
  };
  return kTable;
}

}  // namespace df::nodes::receivers::otlp_file
