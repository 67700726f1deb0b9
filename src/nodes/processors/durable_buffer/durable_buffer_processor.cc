#include "nodes/processors/durable_buffer/durable_buffer_processor.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"

namespace df::nodes::processors::durable_buffer {
namespace {

using std::chrono::nanoseconds;

using enum telemetry::InstrumentKind;
constexpr telemetry::Instrument kSize = {kUpDownCounter, "df.durable_buffer.size", "By",
                                         "Bytes of the files of the buffer"};
constexpr telemetry::Instrument kItems = {kUpDownCounter, "df.durable_buffer.items", "{item}",
                                          "Items that are not delivered yet"};
constexpr telemetry::Instrument kAge = {kUpDownCounter, "df.durable_buffer.oldest.age", "s",
                                        "Time since the oldest batch was taken that is not "
                                        "delivered yet"};
constexpr telemetry::Instrument kStored = {kCounter, "df.durable_buffer.stored", "{item}",
                                           "Items that were taken and are durable"};
constexpr telemetry::Instrument kNotStored = {
    kCounter, "df.durable_buffer.not_stored", "{batch}",
    "Batches that were refused, as the buffer was full or could not be written"};
constexpr telemetry::Instrument kDropped = {kCounter, "df.durable_buffer.dropped", "{item}",
                                            "Items that were taken and are not delivered",
                                            "reason"};

constexpr std::array<std::string_view, 4> kDropNames = {"full", "age", "refused", "damaged"};

constexpr engine::TimerId kFailureTimer = 0;
constexpr engine::TimerId kAgeTimer = 1;

/// Bytes of batches in memory that are on their way to the folder, unless it is a single one.
constexpr int64_t kMaxArrivingBytes = 32_MiB;
constexpr size_t kMaxFindingsNamed = 100;

}  // namespace

DurableBufferProcessor::DurableBufferProcessor(std::shared_ptr<const DurableBufferConfig> config,
                                               const engine::InstanceInfo& info, FileCalls* calls)
    : config_(std::move(config)),
      info_(info),
      calls_(calls),
      mailbox_(std::make_shared<Mailbox>(Mailbox{this})),
      next_(records_.end()) {}

DurableBufferProcessor::~DurableBufferProcessor() { mailbox_->owner = nullptr; }

Status DurableBufferProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  telemetry::MetricSet& metrics = effects.metrics();
  size_gauge_ = &metrics.AddGauge(kSize);
  items_gauge_ = &metrics.AddGauge(kItems);
  age_gauge_ = &metrics.AddGauge(kAge);
  stored_ = &metrics.AddCounter(kStored);
  not_stored_ = &metrics.AddCounter(kNotStored);
  for (size_t drop = 0; drop < kNumDrops; ++drop) {
    dropped_[drop] = &metrics.AddCounter(kDropped, {{"reason", std::string(kDropNames[drop])}});
  }
  changed_.emplace(&effects.loop());
  has_fetched_.emplace(&effects.loop());
  resume_timer_.emplace(&effects.loop(), [this] {
    FetchMore();
    changed_->NotifyAll();
  });
  on_drain_.emplace(&effects.drain(), [this] { changed_->NotifyAll(); });
  outages_.emplace(engine::OutageLog::Words{.subject = fmt::format(
                                                "{}/{}: node '{}', instance {}", info_.group,
                                                info_.pipeline, info_.node, info_.instance_index),
                                            .failing = "nothing is delivered from the buffer",
                                            .failures = "refusals"},
                   &effects.clock());
  if (config_->max_age.has_value()) {
    effects.StartTimer(kAgeTimer,
                       std::min<nanoseconds>(*config_->max_age, std::chrono::seconds(10)));
  }
  worker_ = std::make_unique<BufferWorker>(
      BufferWorker::Settings{.folder = config_->path,
                             .instance_index = info_.instance_index,
                             .num_instances = info_.num_instances,
                             .segment_bytes = config_->segment_bytes,
                             .max_bytes = config_->max_bytes,
                             .when_full = config_->when_full,
                             .core = info_.core},
      calls_, [mailbox = mailbox_, loop = &effects.loop()](BufferReport report) {
        loop->Post([mailbox, report = std::make_shared<BufferReport>(std::move(report))] {
          if (mailbox->owner != nullptr) {
            mailbox->owner->Take(std::move(*report));
          }
        });
      });
  sending_ = SendFetched();
  sending_.Start();
  return Status::OK();
}

int64_t DurableBufferProcessor::WallNanos() const {
  return std::chrono::duration_cast<nanoseconds>(effects_->clock().WallNow().time_since_epoch())
      .count();
}

runtime::Task<Status> DurableBufferProcessor::Process(engine::Pdata pdata, engine::Effects&) {
  const int64_t size_bytes = pdata.batch->size_bytes();
  while (failure_.ok() && arriving_bytes_ > 0 && arriving_bytes_ + size_bytes > kMaxArrivingBytes) {
    co_await changed_->Wait();
  }
  if (!failure_.ok()) {
    pdata.token.Nack(failure_.message(), /*is_permanent=*/false);
    co_return failure_;
  }
  const uint64_t number = next_number_++;
  otap::BatchPtr batch = pdata.batch;
  arriving_[number] = {std::move(pdata), size_bytes};
  arriving_bytes_ += size_bytes;
  ++num_orders_;
  worker_->Store(std::move(batch), number, WallNanos());
  co_return Status::OK();
}

void DurableBufferProcessor::Take(BufferReport report) {
  num_orders_ -= report.num_orders;
  size_bytes_ = report.size_bytes;
  if (report.opened.has_value()) {
    TakeOpened(*report.opened);
  }
  // What makes room may be a record that the same report has stored.
  for (const Stored& stored : report.stored) {
    TakeStored(stored);
  }
  for (const RecordFacts& facts : report.dropped) {
    if (const auto found = records_.find(facts.sequence); found != records_.end()) {
      CountDrop(Drop::kFull, facts, "there was no room");
      Forget(found, /*is_there=*/false);
    }
  }
  for (Fetched& fetched : report.fetched) {
    TakeFetched(std::move(fetched));
  }
  if (!report.removal.ok()) {
    LogWarning("durable buffer '{}': delivered batches may be sent again after a start: {}",
               info_.node, report.removal.message());
  }
  FetchMore();
  changed_->NotifyAll();
}

void DurableBufferProcessor::TakeOpened(const Result<RecoveredRecords>& opened) {
  if (!opened.ok()) {
    failure_ = opened.status();
    num_orders_ = 0;  // none is carried out
    auto arriving = std::exchange(arriving_, {});
    arriving_bytes_ = 0;
    for (auto& [number, one] : arriving) {
      one.pdata.token.Nack(failure_.message(), /*is_permanent=*/false);
    }
    effects_->WakeAt(kFailureTimer, effects_->clock().Now());
    return;
  }
  is_open_ = true;
  for (const RecordFacts& facts : opened->records) {
    Add(facts);
  }
  num_recovered_ = std::ssize(opened->records);
  num_damaged_ = opened->num_damaged;
  for (const std::string& finding : opened->findings) {
    LogWarning("durable buffer '{}': {}", info_.node, finding);
    if (findings_.size() < kMaxFindingsNamed) {
      findings_.push_back(finding);
    }
  }
  if (num_recovered_ > 0) {
    LogInfo("durable buffer '{}': {} batches ({} items) of an earlier run are delivered first",
            info_.node, num_recovered_, num_items_);
  }
}

void DurableBufferProcessor::Add(const RecordFacts& facts) {
  const auto added = records_.emplace(facts.sequence, Record{.facts = facts}).first;
  next_ = next_ == records_.end() ? added : next_;
  num_items_ += facts.num_items;
}

void DurableBufferProcessor::TakeStored(const Stored& stored) {
  auto arriving = arriving_.extract(stored.number);
  arriving_bytes_ -= arriving.mapped().size_bytes;
  engine::Pdata pdata = std::move(arriving.mapped().pdata);
  if (!stored.status.ok()) {
    ++num_not_stored_;
    not_stored_->Add(1);
    if (first_error_.empty()) {
      first_error_ = stored.status.message();
    }
    pdata.token.Nack(stored.status.message(), stored.is_permanent,
                     stored.is_full ? engine::NackCause::kRouteFull : engine::NackCause::kRefused);
    return;
  }
  ++num_stored_;
  stored_->Add(stored.facts.num_items);
  Add(stored.facts);
  pdata.charge.Release();
  pdata.token.Ack();
}

void DurableBufferProcessor::TakeFetched(Fetched fetched) {
  const auto found = records_.find(fetched.sequence);
  if (found == records_.end()) {
    --num_active_;  // it was dropped meanwhile
    return;
  }
  if (fetched.status.ok()) {
    fetched_.push_back(std::move(fetched));
    has_fetched_->Notify();
    return;
  }
  --num_active_;
  if (IsRetryable(fetched.status)) {
    found->second.progress = Progress::kWaiting;
    came_back_.push_back(fetched.sequence);
    pause_ = std::max(pause_, config_->retry_interval);
    pause_end_ = effects_->clock().Now() + pause_;
    outages_->Failed(fetched.status.message());
    return;
  }
  LogError("durable buffer '{}': {}", info_.node, fetched.status.message());
  CountDrop(Drop::kDamaged, found->second.facts, fetched.status.message());
  Forget(found, /*is_there=*/true);
}

bool DurableBufferProcessor::is_paused() const {
  return pause_ > nanoseconds(0) && effects_->clock().Now() < pause_end_;
}

void DurableBufferProcessor::FetchMore() {
  if (!is_open_ || effects_->is_draining()) {
    return;
  }
  if (is_paused()) {
    resume_timer_->StartAt(pause_end_);
    return;
  }
  if (is_finishing_ && pause_ > nanoseconds(0)) {
    return;
  }
  // After a refusal one batch goes first, to see whether there is anybody.
  const int64_t limit = pause_ > nanoseconds(0) ? 1 : config_->max_in_flight;
  while (num_active_ < limit) {
    auto record = records_.end();
    while (!came_back_.empty() && record == records_.end()) {
      record = records_.find(came_back_.front());
      came_back_.pop_front();
    }
    if (record == records_.end() && next_ != records_.end()) {
      record = next_++;
    }
    if (record == records_.end()) {
      return;
    }
    record->second.progress = Progress::kFetching;
    ++num_active_;
    ++num_orders_;
    worker_->Fetch(record->first);
  }
}

runtime::Task<> DurableBufferProcessor::SendFetched() {
  while (true) {
    while (fetched_.empty()) {
      co_await has_fetched_->Wait();
    }
    Fetched fetched = std::move(fetched_.front());
    fetched_.pop_front();
    const auto found = records_.find(fetched.sequence);
    if (found == records_.end()) {
      --num_active_;
      changed_->NotifyAll();
      continue;
    }
    found->second.progress = Progress::kSent;
    engine::Pdata pdata(std::move(fetched.batch), effects_->MakeToken(this, fetched.sequence));
    is_sending_ = true;
    co_await effects_->Send(std::move(pdata));
    is_sending_ = false;
    changed_->NotifyAll();
  }
}

void DurableBufferProcessor::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  --num_active_;
  const auto found = records_.find(calldata);
  if (found != records_.end()) {
    const bool is_refusal =
        !outcome.is_ack && outcome.is_permanent && outcome.cause == engine::NackCause::kRefused;
    if (outcome.is_ack) {
      pause_ = nanoseconds(0);
      outages_->Succeeded();
      ++num_delivered_;
      if (outcome.partial != nullptr) {
        num_refused_in_part_ += outcome.partial->num_refused - outcome.partial->num_dead_letters;
      }
      Forget(found, /*is_there=*/true);
    } else if (is_refusal) {
      CountDrop(Drop::kRefused, found->second.facts, outcome.reason);
      Forget(found, /*is_there=*/true);
    } else {
      found->second.progress = Progress::kWaiting;
      came_back_.insert(std::upper_bound(came_back_.begin(), came_back_.end(), calldata), calldata);
      if (!is_paused()) {
        pause_ = pause_ == nanoseconds(0)
                     ? config_->retry_interval
                     : std::min<nanoseconds>(pause_ * 2, config_->max_retry_interval);
        pause_end_ = effects_->clock().Now() + pause_;
      }
      outages_->Failed(outcome.reason);
    }
  }
  // Not from here: reading may begin inside the call of the node that has said the outcome.
  resume_timer_->StartAt(is_paused() ? pause_end_ : effects_->clock().Now());
  changed_->NotifyAll();
}

void DurableBufferProcessor::Forget(std::map<uint64_t, Record>::iterator record, bool is_there) {
  num_items_ -= record->second.facts.num_items;
  if (is_there) {
    ++num_orders_;
    worker_->Remove(record->first);
  }
  next_ = next_ == record ? std::next(next_) : next_;
  records_.erase(record);
}

void DurableBufferProcessor::CountDrop(Drop drop, const RecordFacts& facts,
                                       const std::string& reason) {
  const auto index = static_cast<size_t>(drop);
  num_dropped_[index] += facts.num_items;
  dropped_[index]->Add(facts.num_items);
  if (first_drop_[index].empty()) {
    first_drop_[index] = reason;
    LogWarning("durable buffer '{}': {} items of {} are dropped ({}): {}", info_.node,
               facts.num_items, otap::Name(facts.signal), kDropNames[index], reason);
  }
}

void DurableBufferProcessor::DropOld() {
  if (!config_->max_age.has_value()) {
    return;
  }
  const int64_t oldest = WallNanos() - config_->max_age->count();
  auto record = records_.begin();
  while (record != records_.end() && record->second.facts.accepted_nanos < oldest) {
    const auto old = record++;
    if (old->second.progress == Progress::kWaiting) {
      CountDrop(Drop::kAge, old->second.facts, "it has waited for longer than max_age");
      Forget(old, /*is_there=*/true);
    }
  }
}

runtime::Task<Status> DurableBufferProcessor::OnTimer(engine::TimerId id, engine::Effects&) {
  if (id == kAgeTimer) {
    DropOld();
  }
  co_return failure_;
}

runtime::Task<Status> DurableBufferProcessor::Finish(engine::Effects&) {
  is_finishing_ = true;
  const auto may_send = [this] {
    return !records_.empty() && !effects_->is_draining() && pause_ == nanoseconds(0);
  };
  while (failure_.ok() && (!is_open_ || num_orders_ > 0 || num_active_ > 0 || !fetched_.empty() ||
                           is_sending_ || may_send())) {
    co_await changed_->Wait();
  }
  co_return failure_;
}

void DurableBufferProcessor::OnCollect() {
  size_gauge_->Set(size_bytes_);
  items_gauge_->Set(num_items_);
  age_gauge_->Set(
      records_.empty()
          ? 0
          : std::max<int64_t>(WallNanos() - records_.begin()->second.facts.accepted_nanos, 0));
}

engine::NodeReport DurableBufferProcessor::Report() {
  engine::NodeReport report;
  report.lines.push_back(fmt::format("stored {} batches, found {} of an earlier run, delivered {}",
                                     num_stored_, num_recovered_, num_delivered_));
  if (!records_.empty()) {
    report.lines.push_back(fmt::format(
        "{} batches ({} items) are not delivered and stay in the buffer: the next start "
        "sends them",
        records_.size(), num_items_));
    report.num_problems += std::ssize(records_);
  }
  if (num_not_stored_ > 0) {
    report.lines.push_back(
        fmt::format("{} batches were refused as they could not be stored; the "
                    "first: {}",
                    num_not_stored_, first_error_));
  }
  if (num_refused_in_part_ > 0) {
    report.lines.push_back(
        fmt::format("{} items of delivered batches were refused", num_refused_in_part_));
    report.num_problems += num_refused_in_part_;
  }
  for (size_t drop = 0; drop < kNumDrops; ++drop) {
    if (num_dropped_[drop] > 0) {
      report.lines.push_back(fmt::format("{} items were dropped ({}); the first: {}",
                                         num_dropped_[drop], kDropNames[drop], first_drop_[drop]));
      report.num_problems += num_dropped_[drop];
    }
  }
  report.lines.insert(report.lines.end(), findings_.begin(), findings_.end());
  report.num_problems += num_damaged_;
  return report;
}

}  // namespace df::nodes::processors::durable_buffer
