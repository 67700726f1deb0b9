// Writes batches to files as OTLP requests.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/node.h"
#include "nodes/exporters/file/config.h"
#include "nodes/exporters/file/output_file.h"
#include "otlp/encode.h"

namespace df::nodes::exporters::file {

/// One request for each batch. A batch is acked when its request is in the hands of the operating
/// system: it survives the end of the process, not that of the machine. A batch that cannot be
/// encoded is nacked for good, one that cannot be written is nacked as retryable.
class FileExporter final : public engine::Exporter {
 public:
  FileExporter(FileConfig config, const engine::InstanceInfo& info)
      : config_(std::move(config)), info_(info) {}

  /// Opens all files. Errors: kind io.
  Status Start(engine::Effects& effects) override;
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// A line for each file that has requests; problems are values that were altered and requests
  /// that were not written.
  engine::NodeReport Report() override;

 private:
  struct Output {
    std::shared_ptr<OutputFile> file;  ///< signals without {signal} share one
    int64_t requests = 0;
    int64_t size_bytes = 0;
    otlp::EncodeStats stats;
  };

  Status Write(const otap::Batch& batch, Output* output);

  FileConfig config_;
  engine::InstanceInfo info_;
  std::array<Output, otap::kAllSignals.size()> outputs_;  ///< by signal
  std::string buffer_;  ///< the request at hand; keeps its room for the next
  int64_t not_written_ = 0;
  std::string first_error_;
};

}  // namespace df::nodes::exporters::file
