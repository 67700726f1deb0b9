#include "nodes/exporters/parquet/lake_worker.h"

#include "base/logging.h"

namespace df::nodes::exporters::parquet {

LakeWorker::LakeWorker(std::unique_ptr<lake::FileStore> store, Settings settings,
                       std::function<void(WorkReport)> report)
    : store_(std::move(store)), settings_(std::move(settings)), report_(std::move(report)) {
  if (const auto base = store_->local_base(); settings_.stages && base.has_value()) {
    staging_ = std::make_unique<lake::StagingArea>(*base, settings_.writer.options.producer);
  }
  lake::WriteListener* const listener = this;
  for (const otap::Signal signal : otap::kAllSignals) {
    writers_[static_cast<size_t>(signal)] = std::make_unique<lake::SignalWriter>(
        store_.get(), signal, settings_.writer, listener, staging_.get());
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

void LakeWorker::Roll(bool to_the_end) { Push(RollMessage{to_the_end}); }

void LakeWorker::Push(Message message) {
  const std::lock_guard lock(mutex_);
  messages_.push_back(std::move(message));
  has_message_.notify_one();
}

std::optional<LakeWorker::Message> LakeWorker::Pop() {
  std::unique_lock lock(mutex_);
  has_message_.wait(lock, [this] { return is_stopped_ || !messages_.empty() || !merges_.empty(); });
  if (is_stopped_ || messages_.empty()) {
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

bool LakeWorker::is_stopped() {
  const std::lock_guard lock(mutex_);
  return is_stopped_;
}

void LakeWorker::Run() {
  RemoveStale();
  RecoverStaged();
  while (true) {
    std::optional<Message> message = Pop();
    if (is_stopped()) {
      return;
    }
    if (message.has_value()) {
      std::visit([this](auto& found) { Handle(std::move(found)); }, *message);
      if (is_draining_ && !HasMessage()) {
        CloseAllFor(lake::CloseReason::kDrain);
      }
      BeginMergesOfFull();
      Report(/*is_answer=*/true);
    }
    StepMerge();
    if (!happened_.merged.empty()) {
      Report(/*is_answer=*/false);
    }
  }
}

void LakeWorker::Report(bool is_answer) {
  happened_.is_answer = is_answer;
  if (staging_ != nullptr) {
    happened_.staged_sets = staging_->num_sets();
    for (const auto& merge : merges_) {
      happened_.staged_sets += std::ssize(merge->sets());
    }
  }
  report_(std::exchange(happened_, {}));
}

/// What earlier runs have acknowledged becomes visible, whether or not this one stages.
void LakeWorker::RecoverStaged() {
  const auto base = store_->local_base();
  if (!base.has_value()) {
    return;
  }
  const auto recovered = lake::RecoverStagedSets(*base, store_.get(), settings_.writer.options);
  if (!recovered.ok()) {
    LogWarning("parquet exporter: staged files of an earlier run may be left: {}",
               recovered.status().message());
    return;
  }
  for (const Status& problem : recovered->problems) {
    LogWarning("parquet exporter: staged files of an earlier run stay where they are: {}",
               problem.message());
  }
  if (recovered->sets > 0) {
    LogInfo(
        "parquet exporter: made {} records, spans and metrics visible that an earlier run had "
        "staged in {} sets",
        recovered->rows, recovered->sets);
  }
}

void LakeWorker::BeginMerges(otap::Signal signal) {
  for (auto& merge : staging_->TakeMerges(signal, store_.get(), settings_.writer.options)) {
    merges_.push_back(std::move(merge));
  }
}

/// What would be a file of the size that is wanted need not wait.
void LakeWorker::BeginMergesOfFull() {
  for (const otap::Signal signal : otap::kAllSignals) {
    if (staging_ != nullptr && !has_failed_merge_ &&
        staging_->size_bytes(signal) >= settings_.writer.limits.bytes) {
      BeginMerges(signal);
    }
  }
}

void LakeWorker::StepMerge() {
  if (merges_.empty()) {
    return;
  }
  lake::SetMerge& merge = *merges_.front();
  const Result<bool> done = merge.Step();
  if (done.ok() && !*done) {
    return;
  }
  if (done.ok()) {
    staging_->Remove(merge.sets());
  } else {
    LogWarning("parquet exporter: {} staged sets cannot be merged, and will be tried again: {}",
               merge.sets().size(), done.status().message());
    staging_->Return(merge.sets());
    has_failed_merge_ = true;
  }
  happened_.merged.push_back(
      {std::ssize(merge.sets()), done.ok() ? merge.counts() : lake::FileCounts{}, done.status()});
  merges_.pop_front();
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

void LakeWorker::Handle(RollMessage message) {
  if (staging_ == nullptr) {
    return;
  }
  has_failed_merge_ = false;
  for (const otap::Signal signal : otap::kAllSignals) {
    BeginMerges(signal);
  }
  while (message.to_the_end && !merges_.empty() && !is_stopped()) {
    StepMerge();
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
