// Configuration of the receiver of OTLP files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "config/field_table.h"
#include "engine/node_config.h"
#include "otap/schema.h"

namespace df::nodes::receivers::otlp_file {

/// How requests stand in a file.
enum class FileFormat : uint8_t {
  kByName,  ///< .json, .jsonl and .ndjson are JSON, everything else is protobuf
  kJson,    ///< OTLP JSON, a request a line
  kProto,   ///< OTLP protobuf, each request behind its length in 4 bytes, big-endian
};

struct OtlpFileConfig final : engine::NodeConfig {
  std::string path;
  FileFormat format = FileFormat::kByName;
  std::vector<df::otap::Signal> signal_types = {df::otap::kAllSignals.begin(),
                                                df::otap::kAllSignals.end()};
  int64_t max_request_size = 64_MiB;
};

const config::FieldTable<OtlpFileConfig>& OtlpFileFields();

}  // namespace df::nodes::receivers::otlp_file
