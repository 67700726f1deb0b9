// Writes batches to files as OTLP requests.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/node.h"
#include "nodes/exporters/file/config.h"
#include "nodes/exporters/file/output_file.h"
#include "nodes/exporters/file/write_worker.h"
#include "otlp/encode.h"
#include "runtime/event_loop.h"

namespace df::nodes::exporters::file {

/// One request for each batch. The loop encodes, a thread writes; a batch is acked when its request
/// is as safe as `durability` says. A batch that cannot be encoded is nacked for good, one that
/// cannot be written or synced is nacked as retryable.
class FileExporter final : public engine::Exporter {
 public:
  /// `calls` is borrowed.
  FileExporter(FileConfig config, const engine::InstanceInfo& info,
               FileCalls* calls = &SystemFileCalls());
  ~FileExporter() override;

  /// Opens all files. Errors: kind io; Invalid for a file of something else.
  Status Start(engine::Effects& effects) override;
  /// Waits while `queue_size` waits to be written.
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  /// Waits until everything is written and synced.
  runtime::Task<Status> Finish(engine::Effects& effects) override;

  /// A line for each file that has requests, and for each that was mended; problems are values that
  /// were altered and requests that were not written.
  engine::NodeReport Report() override;

 private:
  struct Output {
    std::shared_ptr<OutputFile> file;  ///< signals without {signal} share one
    int64_t requests = 0;
    int64_t size_bytes = 0;
    otlp::EncodeStats stats;
  };
  /// A request that the thread has.
  struct OpenRequest {
    engine::CompletionToken token;
    engine::MemoryCharge charge;
    Output* output = nullptr;  ///< null: a sync
    int64_t size_bytes = 0;
    otlp::EncodeStats stats;
  };
  /// Reports come by way of the loop, where this may be gone already.
  struct Mailbox {
    FileExporter* owner;
  };

  Status Encode(const otap::Batch& batch, WriteOrder* order, otlp::EncodeStats* stats);
  void TellRepair(const OutputFile& file, engine::Effects& effects);
  void Take(std::vector<WriteDone> done);
  void Refuse(engine::CompletionToken token, const Status& status);

  FileConfig config_;
  engine::InstanceInfo info_;
  FileCalls* calls_;
  std::shared_ptr<Mailbox> mailbox_;
  std::array<Output, otap::kAllSignals.size()> outputs_;  ///< by signal
  std::unique_ptr<WriteWorker> worker_;                   ///< behind the files that it uses
  std::unique_ptr<runtime::Wakeup> progress_;
  std::map<uint64_t, OpenRequest> open_;
  uint64_t next_number_ = 0;
  int64_t queued_bytes_ = 0;
  std::vector<std::string> buffers_;  ///< keep their room for the next requests
  std::vector<std::string> repairs_;
  telemetry::Gauge* queued_ = nullptr;
  int64_t num_failed_ = 0;
  int64_t num_lost_ = 0;  ///< of these, requests that nobody sends again
  int64_t not_synced_ = 0;
  std::string first_error_;
};

}  // namespace df::nodes::exporters::file
