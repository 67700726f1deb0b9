#include "nodes/exporters/parquet/lake_worker.h"

#include "base/logging.h"

namespace df::nodes::exporters::parquet {

LakeWorker::LakeWorker(std::unique_ptr<lake::FileStore> store, Settings settings,
                       std::function<void(WorkReport)> report)
    : store_(std::move(store)), settings_(std::move(settings)), report_(std::move(report)) {
  lake::WriteListener* const listener = this;
  for (const otap::Signal signal : otap::kAllSignals) {
    writers_[static_cast<size_t>(signal)] =
        std::make_unique<lake::SignalWriter>(store_.get(), signal, settings_.writer, listener);
  }
  thread_ = runtime::WorkerThread(settings_.thread_name, settings_.core, [this] { Run(); });
}

LakeWorker::~LakeWorker() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    has_message_.notify_one();
  }
  thread_.Join();
}

void LakeWorker::Add(otap::BatchPtr batch, uint64_t number) {
  Push(AddMessage{std::move(batch), number});
}

void LakeWorker::Close(otap::Signal signal, uint64_t number, lake::CloseReason reason) {
  Push(CloseMessage{signal, number, reason});
}

void LakeWorker::CloseAll() { Push(CloseAllMessage{}); }

void LakeWorker::Drain() { Push(DrainMessage{}); }

void LakeWorker::Encode() { Push(EncodeMessage{}); }

void LakeWorker::Push(Message message) {
  const std::lock_guard lock(mutex_);
  messages_.push_back(std::move(message));
  has_message_.notify_one();
}

std::optional<LakeWorker::Message> LakeWorker::Pop() {
  std::unique_lock lock(mutex_);
  has_message_.wait(lock, [this] { return is_stopped_ || !messages_.empty(); });
  if (is_stopped_) {
    return std::nullopt;
  }
  Message message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

bool LakeWorker::HasMessage() {
  const std::lock_guard lock(mutex_);
  return !messages_.empty();
}

void LakeWorker::Run() {
  RemoveStale();
  while (std::optional<Message> message = Pop()) {
    std::visit([this](auto& found) { Handle(std::move(found)); }, *message);
    if (is_draining_ && !HasMessage()) {
      CloseAllFor(lake::CloseReason::kDrain);
    }
    report_(std::exchange(happened_, {}));
  }
}

void LakeWorker::RemoveStale() {
  const auto removed = store_->RemoveStale();
  if (!removed.ok()) {
    LogWarning("parquet exporter: files of an earlier run may be left: {}",
               removed.status().message());
  } else if (*removed > 0) {
    LogInfo("parquet exporter: removed {} unfinished files of an earlier run", *removed);
  }
}

void LakeWorker::Handle(AddMessage message) {
  happened_.taken.push_back(message.number);
  writer(message.batch->signal()).Add(message.batch, message.number);
  message.batch.reset();
  int64_t pending_bytes = 0;
  lake::SignalWriter* largest = nullptr;
  for (const auto& candidate : writers_) {
    pending_bytes += candidate->pending_bytes();
    if (largest == nullptr || candidate->pending_bytes() > largest->pending_bytes()) {
      largest = candidate.get();
    }
  }
  if (pending_bytes > settings_.memory_bytes) {
    largest->Encode();
  }
}

void LakeWorker::Handle(CloseMessage message) {
  lake::SignalWriter& open = writer(message.signal);
  const auto batches = open.open_batches();
  if (!batches.empty() && batches.front() <= message.number) {
    open.Close(message.reason);
  }
}

void LakeWorker::Handle(CloseAllMessage) { CloseAllFor(lake::CloseReason::kEnd); }

void LakeWorker::Handle(DrainMessage) { is_draining_ = true; }

void LakeWorker::CloseAllFor(lake::CloseReason reason) {
  for (const auto& open : writers_) {
    open->Close(reason);
  }
}

void LakeWorker::Handle(EncodeMessage) {
  for (const auto& open : writers_) {
    open->Encode();
  }
}

void LakeWorker::OnEncoded(std::span<const uint64_t> batches) {
  happened_.encoded.insert(happened_.encoded.end(), batches.begin(), batches.end());
}

void LakeWorker::OnClosed(std::span<const uint64_t> batches, lake::CloseReason reason,
                          const lake::FileCounts& counts, const Status& status) {
  for (const uint64_t batch : batches) {
    happened_.done.push_back({batch, status});
  }
  happened_.closed.push_back({reason, counts, status});
}

void LakeWorker::OnRefused(uint64_t batch, const Status& status) {
  happened_.done.push_back({batch, status, /*is_malformed=*/true});
}

}  // namespace df::nodes::exporters::parquet
