// Sends what stands in files of OTLP requests.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "delivery/decode_losses.h"
#include "engine/node.h"
#include "nodes/receivers/otlp_file/config.h"
#include "nodes/receivers/otlp_file/file_sums.h"
#include "otlp/decode.h"
#include "runtime/thread_channel.h"
#include "telemetry/metric_set.h"

namespace df::nodes::receivers::otlp_file {

/// Reads files that no other instance reads, in a thread of its own, and ends after them. What
/// cannot be read is named and counted; the rest goes on.
class OtlpFileReceiver final : public engine::Receiver, public engine::CompletionHandler {
 public:
  OtlpFileReceiver(std::shared_ptr<const OtlpFileConfig> config, std::shared_ptr<FileSums> sums,
                   const engine::InstanceInfo& info);

  runtime::Task<Status> Run(engine::Effects& effects) override;
  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;
  engine::NodeReport Report() override;

 private:
  struct Message {
    otap::BatchPtr batch;
    FileBatch of;
    /// With the first batch of a request; without a batch, of one that has none.
    std::shared_ptr<const otlp::DecodeStats> stats;
  };
  using Channel = runtime::ThreadChannel<Message>;

  /// Body of the worker.
  void ReadFiles(Channel* channel);
  /// Returns false when nobody waits for more.
  bool ReadFile(const OpenFilePtr& file, otlp::Decoder* decoder, Channel* channel);
  bool SendRequest(const OpenFilePtr& file, otap::Signal signal, bool is_json,
                   const std::string& bytes, const std::string& place, otlp::Decoder* decoder,
                   Channel* channel);
  /// Has the worker end: nothing of what it reads from now on goes out.
  void End(Channel* channel);
  void Fail(const OpenFilePtr& file, const std::string& message);
  bool Wants(otap::Signal signal) const;

  std::shared_ptr<const OtlpFileConfig> config_;
  std::shared_ptr<FileSums> sums_;
  engine::InstanceInfo info_;
  telemetry::Counter* unreadable_ = nullptr;  ///< written by the worker
  std::atomic<bool> is_stopped_ = false;

  // Touched by the loop only.
  std::shared_ptr<delivery::DecodeLosses> losses_;  ///< since Run
  uint64_t next_calldata_ = 0;
  std::unordered_map<uint64_t, FileBatch> unanswered_;
  int64_t num_refused_ = 0;  ///< batches
  std::vector<std::string> refusals_;
};

}  // namespace df::nodes::receivers::otlp_file
