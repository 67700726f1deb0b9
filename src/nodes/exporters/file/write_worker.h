// The thread that writes for one exporter.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "nodes/exporters/file/output_file.h"
#include "runtime/worker_thread.h"

namespace df::nodes::exporters::file {

/// A request on its way to a file.
struct WriteOrder {
  uint64_t number = 0;
  OutputFile* file = nullptr;  ///< borrowed
  std::array<char, 4> head{};
  size_t head_size = 0;
  std::string buffer;  ///< holds the request, at its end
  size_t begin = 0;    ///< of the request
  size_t size_bytes = 0;
};

/// What became of it; the buffer comes back.
struct WriteDone {
  uint64_t number = 0;
  Status status;
  std::string buffer;
};

/// Writes requests in the order in which they are pushed. With Durability::kSync all that waits is
/// written and then synced once. Owner: the destructor ends the thread after what it is doing; what
/// waits is not written.
class WriteWorker {
 public:
  /// `report` is called on the thread of the worker.
  WriteWorker(bool syncs, std::optional<int> core,
              std::function<void(std::vector<WriteDone>)> report);
  ~WriteWorker();

  /// Calls: from any thread; does not wait.
  void Push(WriteOrder order);
  /// Syncs a file when everything pushed before is written; reported as an order of that number.
  void PushSync(OutputFile* file, uint64_t number);

 private:
  struct Item {
    WriteOrder order;
    bool is_sync = false;
  };

  void Add(Item item);
  std::vector<Item> PopAll();
  bool is_stopped();
  void Run();
  std::vector<WriteDone> Do(std::vector<Item> items);

  bool syncs_;
  std::function<void(std::vector<WriteDone>)> report_;
  std::mutex mutex_;
  std::condition_variable has_item_;
  std::deque<Item> items_;
  bool is_stopped_ = false;
  runtime::WorkerThread thread_;  // last: it uses all of the above
};

}  // namespace df::nodes::exporters::file
