// The thread that encodes and writes for one exporter.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "lake/write/file_store.h"
#include "lake/write/signal_writer.h"
#include "lake/write/staging_area.h"
#include "otap/batch.h"
#include "runtime/worker_thread.h"

namespace df::nodes::exporters::parquet {

/// Files that were closed, or given up.
struct ClosedFiles {
  lake::CloseReason reason;
  lake::FileCounts counts;
  Status status;
};

/// Staged sets that became one visible set, or could not.
struct MergedFiles {
  int64_t num_sets;
  lake::FileCounts counts;
  Status status;
};

/// The outcome of a batch.
struct BatchDone {
  uint64_t number;
  Status status;
  bool is_malformed = false;  ///< it will be refused again
};

/// What has happened since the report before.
struct WorkReport {
  bool is_answer = true;    ///< to one of the calls; others come in between
  int64_t staged_sets = 0;  ///< that wait to be merged
  std::vector<MergedFiles> merged;
  std::vector<uint64_t> taken;    ///< have left the queue
  std::vector<uint64_t> encoded;  ///< are no longer held in memory
  std::vector<BatchDone> done;
  std::vector<ClosedFiles> closed;
};

/// Takes batches in the order in which they are pushed. Owner: the destructor ends the thread after
/// what it is doing; files that were not closed are removed.
class LakeWorker final : private lake::WriteListener {
 public:
  struct Settings {
    lake::SignalWriter::Settings writer;
    bool stages = false;               ///< sets smaller than a row group, where the store is local
    int64_t memory_bytes = INT64_MAX;  ///< of batches in memory; beyond it row groups end early
    std::string thread_name;
    std::optional<int> core;
  };

  /// `report` is called on the thread of the worker, once for each call below, and when sets were
  /// merged.
  LakeWorker(std::unique_ptr<lake::FileStore> store, Settings settings,
             std::function<void(WorkReport)> report);
  ~LakeWorker();

  // Calls: from any thread. None of them waits.
  void Add(otap::BatchPtr batch, uint64_t number);
  /// Closes the files of a signal that are open, if they hold a batch of that number or below.
  void Close(otap::Signal signal, uint64_t number, lake::CloseReason reason);
  /// Closes all files.
  void CloseAll();
  /// From now on all files are closed whenever nothing else is to be done: what comes while they
  /// are being closed goes into the next together.
  void Drain();
  /// Writes what is in memory.
  void Encode();
  /// Merges what is staged, a row group at a time between other calls, or before it reports.
  void Roll(bool to_the_end);
  /// What requests of an object store have cost so far.
  storage::StoreCounts requests() const { return store_->counts(); }

 private:
  struct AddMessage {
    otap::BatchPtr batch;
    uint64_t number;
  };
  struct CloseMessage {
    otap::Signal signal;
    uint64_t number;
    lake::CloseReason reason;
  };
  struct CloseAllMessage {};
  struct DrainMessage {};
  struct EncodeMessage {};
  struct RollMessage {
    bool to_the_end;
  };
  using Message = std::variant<AddMessage, CloseMessage, CloseAllMessage, DrainMessage,
                               EncodeMessage, RollMessage>;

  void OnEncoded(std::span<const uint64_t> batches) override;
  void OnClosed(std::span<const uint64_t> batches, lake::CloseReason reason,
                const lake::FileCounts& counts, const Status& status) override;
  void OnRefused(uint64_t batch, const Status& status) override;

  void Push(Message message);
  /// Waits for a message, unless there is something to merge. Returns nothing when no message came.
  std::optional<Message> Pop();
  bool HasMessage();
  bool is_stopped();
  void CloseAllFor(lake::CloseReason reason);
  void Run();
  void Handle(AddMessage message);
  void Handle(CloseMessage message);
  void Handle(CloseAllMessage message);
  void Handle(DrainMessage message);
  void Handle(EncodeMessage message);
  void Handle(RollMessage message);
  void BeginMerges(otap::Signal signal);
  void BeginMergesOfFull();
  void StepMerge();
  void Report(bool is_answer);
  lake::SignalWriter& writer(otap::Signal signal) { return *writers_[static_cast<size_t>(signal)]; }
  void RemoveStale();
  void RecoverStaged();

  std::unique_ptr<lake::FileStore> store_;
  Settings settings_;
  std::function<void(WorkReport)> report_;
  std::unique_ptr<lake::StagingArea> staging_;  ///< null where nothing is staged
  std::deque<std::unique_ptr<lake::SetMerge>> merges_;
  bool has_failed_merge_ = false;  ///< since the last order to merge
  std::array<std::unique_ptr<lake::SignalWriter>, otap::kAllSignals.size()> writers_;
  WorkReport happened_;
  bool is_draining_ = false;

  std::mutex mutex_;
  std::condition_variable has_message_;
  std::deque<Message> messages_;
  bool is_stopped_ = false;

  runtime::WorkerThread thread_;  // last: it uses all of the above
};

}  // namespace df::nodes::exporters::parquet
