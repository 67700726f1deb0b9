// The thread that writes and reads segments for one durable buffer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "base/error.h"
#include "nodes/processors/durable_buffer/config.h"
#include "nodes/processors/durable_buffer/segment_store.h"
#include "otap/batch.h"
#include "runtime/worker_thread.h"

namespace df::nodes::processors::durable_buffer {

/// What became of a batch that was to be stored.
struct Stored {
  uint64_t number = 0;
  Status status;
  bool is_full = false;       ///< of an error: there is no room
  bool is_permanent = false;  ///< of an error: sending it again cannot succeed
  RecordFacts facts;
};

/// A batch that was read.
struct Fetched {
  uint64_t sequence = 0;
  Status status;
  otap::BatchPtr batch;
};

/// What the worker has done.
struct BufferReport {
  /// Of the first report only: what an earlier run has left, or why the folder cannot be used.
  std::optional<Result<RecoveredRecords>> opened;
  std::vector<Stored> stored;
  std::vector<Fetched> fetched;
  std::vector<RecordFacts> dropped;  ///< to make room
  Status removal;                    ///< what went wrong when delivered records were removed
  int64_t size_bytes = 0;
  int64_t num_orders = 0;  ///< that were carried out
};

/// Opens the folder, and carries orders out in their order; all that waits is written and synced
/// once. Where the folder cannot be used, orders are not carried out. Owner: the destructor carries
/// out the removals that wait, and ends the thread.
class BufferWorker {
 public:
  using Report = std::function<void(BufferReport)>;

  struct Settings {
    std::filesystem::path folder;  ///< holds one for each instance
    int instance_index = 0;
    int num_instances = 1;
    int64_t segment_bytes = 0;
    int64_t max_bytes = 0;
    WhenFull when_full = WhenFull::kBackpressure;
    std::optional<int> core;
  };

  /// `report` is called on the thread of the worker. `calls` is borrowed.
  BufferWorker(Settings settings, FileCalls* calls, Report report);
  ~BufferWorker();

  // Calls: from any thread; they do not wait.
  void Store(otap::BatchPtr batch, uint64_t number, int64_t accepted_nanos);
  void Fetch(uint64_t sequence);
  void Remove(uint64_t sequence);

 private:
  struct StoreOrder {
    otap::BatchPtr batch;
    uint64_t number = 0;
    int64_t accepted_nanos = 0;
  };
  struct FetchOrder {
    uint64_t sequence = 0;
  };
  struct RemoveOrder {
    uint64_t sequence = 0;
  };
  using Order = std::variant<StoreOrder, FetchOrder, RemoveOrder>;

  /// Errors: those of SegmentStore::Open, and a folder of an instance that is not there any more.
  Result<RecoveredRecords> Open();
  void Push(Order order);
  /// Nothing when it is to end.
  std::vector<Order> PopAll();
  void Run();
  BufferReport Do(std::vector<Order> orders);
  Stored Do(const StoreOrder& order, std::vector<RecordFacts>* dropped);
  Fetched Do(const FetchOrder& order);

  Settings settings_;
  FileCalls* calls_;
  Report report_;
  std::unique_ptr<SegmentStore> store_;  ///< null until it is open
  std::mutex mutex_;
  std::condition_variable has_order_;
  std::deque<Order> orders_;
  bool is_stopped_ = false;
  runtime::WorkerThread thread_;  // last: it uses all of the above
};

}  // namespace df::nodes::processors::durable_buffer
