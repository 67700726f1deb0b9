#include "nodes/processors/durable_buffer/buffer_worker.h"

#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "nodes/processors/durable_buffer/batch_codec.h"

namespace df::nodes::processors::durable_buffer {
namespace {

/// As many as share a sync: what they hold back is in memory.
constexpr size_t kMaxAtATime = 256;

/// Turns what is thrown, an allocation that failed, into an error.
template <typename Value, typename Call>
Result<Value> Contained(const Call& call) {
  try {
    return call();
  } catch (const std::exception& error) {
    return MakeError(ErrorKind::kIo, error.what(), {}, /*retryable=*/true);
  }
}

std::string FolderOf(int instance_index) { return fmt::format("core-{}", instance_index); }

/// What runs on more cores have left would never be sent.
Status CheckNoneIsLeft(const std::filesystem::path& folder, int num_instances) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    bool is_ours = !name.starts_with("core-");
    for (int i = 0; i < num_instances && !is_ours; ++i) {
      is_ours = name == FolderOf(i);
    }
    std::error_code ignored;
    std::filesystem::directory_iterator file(entry->path(), ignored);
    for (; !is_ours && !ignored && file != std::filesystem::directory_iterator();
         file.increment(ignored)) {
      if (file->path().extension() == ".segment") {
        return MakeError(
            ErrorKind::kConfig,
            fmt::format("'{}' holds batches of a run on more cores, and this one has {}: start it "
                        "on as many until they are delivered",
                        PrintableText(entry->path().string()), num_instances));
      }
    }
  }
  return Status::OK();
}

}  // namespace

BufferWorker::BufferWorker(Settings settings, FileCalls* calls, Report report)
    : settings_(std::move(settings)), calls_(calls), report_(std::move(report)) {
  thread_ = runtime::WorkerThread("durable-buffer", settings_.core, [this] { Run(); });
}

BufferWorker::~BufferWorker() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    has_order_.notify_one();
  }
  thread_.Join();
  if (store_ == nullptr) {
    return;
  }
  std::vector<uint64_t> removed;
  for (const Order& order : orders_) {
    if (const auto* remove = std::get_if<RemoveOrder>(&order); remove != nullptr) {
      removed.push_back(remove->sequence);
    }
  }
  if (const Status status = store_->Remove(removed); !status.ok()) {
    LogWarning("durable buffer: delivered batches are sent again: {}", status.message());
  }
}

void BufferWorker::Store(otap::BatchPtr batch, uint64_t number, int64_t accepted_nanos) {
  Push(StoreOrder{std::move(batch), number, accepted_nanos});
}
void BufferWorker::Fetch(uint64_t sequence) { Push(FetchOrder{sequence}); }
void BufferWorker::Remove(uint64_t sequence) { Push(RemoveOrder{sequence}); }

void BufferWorker::Push(Order order) {
  const std::lock_guard lock(mutex_);
  orders_.push_back(std::move(order));
  has_order_.notify_one();
}

std::vector<BufferWorker::Order> BufferWorker::PopAll() {
  std::unique_lock lock(mutex_);
  has_order_.wait(lock, [this] { return is_stopped_ || !orders_.empty(); });
  std::vector<Order> popped;
  while (!is_stopped_ && !orders_.empty() && popped.size() < kMaxAtATime) {
    popped.push_back(std::move(orders_.front()));
    orders_.pop_front();
  }
  return popped;
}

Result<RecoveredRecords> BufferWorker::Open() {
  if (settings_.instance_index == 0) {
    ARROW_RETURN_NOT_OK(CheckNoneIsLeft(settings_.folder, settings_.num_instances));
  }
  RecoveredRecords recovered;
  ARROW_ASSIGN_OR_RAISE(
      store_, SegmentStore::Open({.folder = settings_.folder / FolderOf(settings_.instance_index),
                                  .segment_bytes = settings_.segment_bytes},
                                 calls_, &recovered));
  return recovered;
}

void BufferWorker::Run() {
  BufferReport first;
  first.opened = Open();
  first.size_bytes = store_ == nullptr ? 0 : store_->size_bytes();
  report_(std::move(first));
  while (store_ != nullptr) {
    std::vector<Order> orders = PopAll();
    if (orders.empty()) {
      return;
    }
    report_(Do(std::move(orders)));
  }
}

BufferReport BufferWorker::Do(std::vector<Order> orders) {
  BufferReport report;
  report.num_orders = std::ssize(orders);
  std::vector<uint64_t> removed;
  for (const Order& order : orders) {
    if (const auto* remove = std::get_if<RemoveOrder>(&order); remove != nullptr) {
      removed.push_back(remove->sequence);
    }
  }
  report.removal = store_->Remove(removed);  // first: it makes room
  for (const Order& order : orders) {
    if (const auto* store = std::get_if<StoreOrder>(&order); store != nullptr) {
      report.stored.push_back(Do(*store, &report.dropped));
    } else if (const auto* fetch = std::get_if<FetchOrder>(&order); fetch != nullptr) {
      report.fetched.push_back(Do(*fetch));
    }
  }
  const Status synced = store_->Sync();
  for (Stored& stored : report.stored) {
    if (stored.status.ok() && !store_->Has(stored.facts.sequence)) {
      stored.status =
          synced.ok() ? Status::IOError("a sync of the segment before it has failed") : synced;
    }
  }
  report.size_bytes = store_->size_bytes();
  return report;
}

Stored BufferWorker::Do(const StoreOrder& order, std::vector<RecordFacts>* dropped) {
  Stored stored{.number = order.number};
  const Result<std::string> bytes =
      Contained<std::string>([&] { return EncodeBatch(*order.batch); });
  if (!bytes.ok()) {
    stored.status = bytes.status();
    stored.is_permanent = true;
    return stored;
  }
  const int64_t size = std::ssize(*bytes) + SegmentStore::HeadBytes();
  while (settings_.when_full == WhenFull::kDropOldest &&
         store_->size_bytes() + size > settings_.max_bytes) {
    auto removed = store_->RemoveOldest();
    if (!removed.ok() || removed->empty()) {
      break;
    }
    dropped->insert(dropped->end(), removed->begin(), removed->end());
  }
  if (store_->size_bytes() + size > settings_.max_bytes) {
    stored.is_full = true;
    stored.is_permanent = size > settings_.max_bytes;
    stored.status = Status::IOError(
        fmt::format("the durable buffer is full: it holds {} of {} bytes, and the batch takes {}",
                    store_->size_bytes(), settings_.max_bytes, size));
    return stored;
  }
  auto added = store_->Add({.signal = order.batch->signal(),
                            .num_items = order.batch->num_items(),
                            .accepted_nanos = order.accepted_nanos},
                           *bytes);
  stored.status = added.status();
  stored.is_permanent = added.status().IsInvalid();
  stored.facts = added.ok() ? *added : RecordFacts();
  return stored;
}

Fetched BufferWorker::Do(const FetchOrder& order) {
  Fetched fetched{.sequence = order.sequence};
  auto bytes = store_->Read(order.sequence);
  if (!bytes.ok()) {
    fetched.status = bytes.status();
    return fetched;
  }
  auto batch = Contained<otap::BatchPtr>([&] { return DecodeBatch(*bytes); });
  fetched.status = batch.status();
  fetched.batch = batch.ok() ? *batch : nullptr;
  return fetched;
}

}  // namespace df::nodes::processors::durable_buffer
