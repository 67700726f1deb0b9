#include "nodes/exporters/file/write_worker.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace df::nodes::exporters::file {
namespace {

/// As many as are synced at a time: what they hold back is in memory.
constexpr size_t kMaxAtATime = 1024;

}  // namespace

WriteWorker::WriteWorker(bool syncs, std::optional<int> core,
                         std::function<void(std::vector<WriteDone>)> report)
    : syncs_(syncs), report_(std::move(report)) {
  thread_ = runtime::WorkerThread("file-write", core, [this] { Run(); });
}

WriteWorker::~WriteWorker() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    has_item_.notify_one();
  }
  thread_.Join();
}

void WriteWorker::Push(WriteOrder order) { Add({std::move(order)}); }

void WriteWorker::PushSync(OutputFile* file, uint64_t number) {
  Item item;
  item.order.file = file;
  item.order.number = number;
  item.is_sync = true;
  Add(std::move(item));
}

void WriteWorker::Add(Item item) {
  const std::lock_guard lock(mutex_);
  items_.push_back(std::move(item));
  has_item_.notify_one();
}

std::vector<WriteWorker::Item> WriteWorker::PopAll() {
  std::unique_lock lock(mutex_);
  has_item_.wait(lock, [this] { return is_stopped_ || !items_.empty(); });
  std::vector<Item> popped;
  while (!is_stopped_ && !items_.empty() && popped.size() < kMaxAtATime) {
    popped.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  return popped;
}

bool WriteWorker::is_stopped() {
  const std::lock_guard lock(mutex_);
  return is_stopped_;
}

void WriteWorker::Run() {
  while (true) {
    std::vector<Item> items = PopAll();
    if (items.empty()) {
      return;
    }
    report_(Do(std::move(items)));
  }
}

std::vector<WriteDone> WriteWorker::Do(std::vector<Item> items) {
  std::vector<WriteDone> done;
  std::map<OutputFile*, std::vector<size_t>> written;  // by file, positions in `done`
  for (Item& item : items) {
    if (is_stopped()) {
      break;
    }
    WriteOrder& order = item.order;
    done.push_back({order.number, Status::OK(), {}});
    if (!item.is_sync) {
      const std::string_view request =
          std::string_view(order.buffer).substr(order.begin, order.size_bytes);
      done.back().status = order.file->Write({order.head.data(), order.head_size}, request);
    }
    if (done.back().status.ok() && (syncs_ || item.is_sync)) {
      written[order.file].push_back(done.size() - 1);
    }
    done.back().buffer = std::move(order.buffer);
  }
  for (const auto& [file, positions] : written) {
    const Status status = file->Sync();
    for (const size_t position : positions) {
      done[position].status = status;
    }
  }
  return done;
}

}  // namespace df::nodes::exporters::file
