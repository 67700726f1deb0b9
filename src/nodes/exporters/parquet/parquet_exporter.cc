#include "nodes/exporters/parquet/parquet_exporter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "lake/write/file_store.h"
#include "lake/write/partition_ids.h"

namespace df::nodes::exporters::parquet {
namespace {

using telemetry::Instrument;
using enum telemetry::InstrumentKind;

constexpr Instrument kFiles = {kCounter, "df.exporter.parquet.files", "{file}",
                               "Files that became visible"};
constexpr Instrument kRows = {kCounter, "df.exporter.parquet.rows", "{row}",
                              "Rows of all tables in these files"};
constexpr Instrument kBytes = {kCounter, "df.exporter.parquet.size", "By", "Bytes of these files"};
constexpr Instrument kFlushes = {kCounter, "df.exporter.parquet.flushes", "{flush}",
                                 "Sets of files that were closed, by what made them close",
                                 "reason"};
constexpr Instrument kMergedSets = {kCounter, "df.exporter.parquet.merged.sets", "{set}",
                                    "Staged sets of files that became part of visible ones"};
constexpr Instrument kFailedMerges = {kCounter, "df.exporter.parquet.merges.failed", "{merge}",
                                      "Merges of staged sets that failed and are tried again"};
constexpr Instrument kStagedSets = {kUpDownCounter, "df.exporter.parquet.staged.sets", "{set}",
                                    "Sets of files that are durable and not visible yet"};
constexpr Instrument kSeals = {kCounter, "df.exporter.parquet.seals", "{seal}",
                               "Days and hours that were sealed"};
constexpr Instrument kFailedSeals = {kCounter, "df.exporter.parquet.seals.failed", "{seal}",
                                     "Days and hours that could not be sealed and are tried again"};
constexpr Instrument kOpenBatches = {kUpDownCounter, "df.exporter.parquet.open.batches", "{batch}",
                                     "Batches that wait for their files to be closed"};
constexpr Instrument kHeldBytes = {kUpDownCounter, "df.exporter.parquet.held.size", "By",
                                   "Bytes of batches in memory that are not encoded yet"};

constexpr engine::TimerId kAgeTimer = 0;
constexpr engine::TimerId kRollTimer = 1;
constexpr engine::TimerId kSealTimer = 2;
/// How often it is asked whether something may be sealed.
constexpr std::chrono::minutes kSealTick{1};
/// How soon files that were not closed because more was on its way are looked at again.
constexpr std::chrono::milliseconds kLookAgain{10};
/// Share of the memory limit that the queue in front of the thread may take.
constexpr int64_t kQueuePercent = 25;

}  // namespace

ParquetExporter::ParquetExporter(ParquetConfig config, const engine::InstanceInfo& info,
                                 StoreMaker make_store)
    : config_(std::move(config)),
      info_(info),
      make_store_(std::move(make_store)),
      mailbox_(std::make_shared<Mailbox>(this)) {}

ParquetExporter::~ParquetExporter() { mailbox_->owner = nullptr; }

Status ParquetExporter::Start(engine::Effects& effects) {
  ARROW_ASSIGN_OR_RAISE(auto store, make_store_(config_));
  AddMetrics(effects);
  progress_ = std::make_unique<runtime::Wakeup>(&effects.loop());
  LakeWorker::Settings settings;
  settings.writer.options = MakeWriteOptions(config_);
  settings.writer.options.producer = lake::RandomUuid();
  settings.writer.limits = MakeFileLimits(config_);
  settings.writer.unix_millis = [clock = &effects.clock()] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               clock->WallNow().time_since_epoch())
        .count();
  };
  settings.stages = config_.writer_options.roll_when_older_than.has_value();
  settings.memory_bytes = config_.memory_limit * (100 - kQueuePercent) / 100;
  settings.thread_name = "parquet-write";
  settings.core = info_.core;
  worker_ = std::make_unique<LakeWorker>(
      std::move(store), std::move(settings),
      [mailbox = mailbox_, loop = &effects.loop()](WorkReport report) {
        loop->Post([mailbox, report = std::make_shared<WorkReport>(std::move(report))] {
          if (mailbox->owner != nullptr) {
            mailbox->owner->Take(std::move(*report));
          }
        });
      });
  // A receiver may wait for what is held here before it ends, so that Finish would come too late.
  on_drain_.emplace(&effects.drain(), [this] { Tell([](LakeWorker& worker) { worker.Drain(); }); });
  return config_.seal_after.has_value() && info_.instance_index == 0 ? StartSealing(effects)
                                                                     : Status::OK();
}

Status ParquetExporter::StartSealing(engine::Effects& effects) {
  ARROW_ASSIGN_OR_RAISE(auto sealer, MakeSealer(config_));
  seal_worker_ = std::make_unique<SealWorker>(
      std::move(sealer), info_.core,
      [mailbox = mailbox_, loop = &effects.loop()](lake::Sealer::Outcome outcome) {
        loop->Post([mailbox, outcome] {
          if (mailbox->owner != nullptr) {
            mailbox->owner->TakeSealed(outcome);
          }
        });
      });
  Tell([](LakeWorker& worker) { worker.Encode(); });  // answered once it has recovered
  effects.WakeAt(kSealTimer, effects.clock().Now() + kSealTick);
  return Status::OK();
}

void ParquetExporter::LookForSeals(engine::Effects& effects) {
  const int64_t now_nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                effects.clock().WallNow().time_since_epoch())
                                .count();
  if (has_recovered_ && now_nanos >= next_seal_nanos_) {
    next_seal_nanos_ = INT64_MAX;
    seal_worker_->Look(now_nanos);
  }
  effects.WakeAt(kSealTimer, effects.clock().Now() + kSealTick);
}

void ParquetExporter::TakeSealed(const lake::Sealer::Outcome& outcome) {
  next_seal_nanos_ = outcome.next_nanos;
  metrics_.seals->Add(outcome.num_sealed);
  metrics_.failed_seals->Add(outcome.num_failed);
}

void ParquetExporter::AddMetrics(engine::Effects& effects) {
  telemetry::MetricSet& set = effects.metrics();
  metrics_.files = &set.AddCounter(kFiles);
  metrics_.rows = &set.AddCounter(kRows);
  metrics_.bytes = &set.AddCounter(kBytes);
  for (size_t reason = 0; reason < metrics_.flushes.size(); ++reason) {
    metrics_.flushes[reason] = &set.AddCounter(
        kFlushes, {{"reason", std::string(lake::Name(static_cast<lake::CloseReason>(reason)))}});
  }
  metrics_.merged_sets = &set.AddCounter(kMergedSets);
  metrics_.failed_merges = &set.AddCounter(kFailedMerges);
  metrics_.staged_sets = &set.AddGauge(kStagedSets);
  metrics_.seals = &set.AddCounter(kSeals);
  metrics_.failed_seals = &set.AddCounter(kFailedSeals);
  metrics_.open_batches = &set.AddGauge(kOpenBatches);
  metrics_.held_bytes = &set.AddGauge(kHeldBytes);
  if (!config_.uri.is_local()) {
    requests_.emplace(&set);
  }
}

void ParquetExporter::OnCollect() {
  if (requests_.has_value() && worker_ != nullptr) {
    const storage::StoreCounts all = worker_->requests();
    requests_->Add(all - std::exchange(requests_counted_, all));
    if (seal_worker_ != nullptr) {
      const storage::StoreCounts of_seals = seal_worker_->requests();
      requests_->Add(of_seals - std::exchange(seal_requests_counted_, of_seals));
    }
  }
}

runtime::Task<Status> ParquetExporter::Export(engine::Pdata pdata, engine::Effects& effects) {
  const int64_t size_bytes = pdata.batch->size_bytes();
  const int64_t limit = config_.memory_limit * kQueuePercent / 100;
  while (queued_bytes_ > 0 && queued_bytes_ + size_bytes > limit) {
    co_await progress_->Wait();
  }
  const uint64_t number = next_number_++;
  const otap::Signal signal = pdata.batch->signal();
  queued_bytes_ += size_bytes;
  metrics_.open_batches->Add(1);
  metrics_.held_bytes->Add(size_bytes);
  OpenBatch& open = open_[number];
  open.token = std::move(pdata.token);
  open.charge = std::move(pdata.charge);
  open.queued_bytes = size_bytes;
  open.held_bytes = size_bytes;
  arrivals_[static_cast<size_t>(signal)].push_back({number, effects.clock().Now()});
  Tell([&](LakeWorker& worker) { worker.Add(std::move(pdata.batch), number); });
  if (arrivals_[static_cast<size_t>(signal)].size() == 1) {
    SetTimer(effects);
  }
  SetRollTimer(effects);
  co_return Status::OK();
}

void ParquetExporter::SetRollTimer(engine::Effects& effects) {
  const auto& age = config_.writer_options.roll_when_older_than;
  if (age.has_value() && !std::exchange(is_roll_due_, true)) {
    effects.WakeAt(kRollTimer, effects.clock().Now() + *age);
  }
}

void ParquetExporter::Tell(const std::function<void(LakeWorker&)>& order) {
  ++num_orders_;
  order(*worker_);
}

std::deque<ParquetExporter::Arrival>& ParquetExporter::Waiting(otap::Signal signal) {
  std::deque<Arrival>& arrivals = arrivals_[static_cast<size_t>(signal)];
  while (!arrivals.empty() && !open_.contains(arrivals.front().number)) {
    arrivals.pop_front();
  }
  return arrivals;
}

void ParquetExporter::SetTimer(engine::Effects& effects) {
  const WriterOptions& options = config_.writer_options;
  const runtime::SteadyTime now = effects.clock().Now();
  std::optional<runtime::SteadyTime> next;
  for (const otap::Signal signal : otap::kAllSignals) {
    const std::deque<Arrival>& waiting = Waiting(signal);
    if (waiting.empty()) {
      continue;
    }
    // Who waits and what is on its way changes without a word, so it is looked at again and again.
    const runtime::SteadyTime time = waiting.front().time;
    const runtime::SteadyTime look =
        std::min(std::max(time + options.flush_when_all_wait_for, now + kLookAgain),
                 time + options.flush_when_older_than);
    next = std::min(look, next.value_or(look));
  }
  if (next.has_value()) {
    effects.WakeAt(kAgeTimer, *next);
  }
}

void ParquetExporter::CloseOlder(otap::Signal signal, runtime::SteadyTime time,
                                 lake::CloseReason reason) {
  // The files of the oldest may have been closed for another reason meanwhile, and younger batches
  // may be in the next: they keep their own time.
  std::deque<Arrival>& waiting = Waiting(signal);
  std::optional<uint64_t> last;
  while (!waiting.empty() && waiting.front().time <= time) {
    last = waiting.front().number;
    waiting.pop_front();
  }
  if (last.has_value()) {
    Tell([&](LakeWorker& worker) { worker.Close(signal, *last, reason); });
  }
}

runtime::Task<Status> ParquetExporter::OnTimer(engine::TimerId id, engine::Effects& effects) {
  if (id == kSealTimer) {
    LookForSeals(effects);
    co_return Status::OK();
  }
  if (id == kRollTimer) {
    is_roll_due_ = false;
    Tell([](LakeWorker& worker) { worker.Roll(/*to_the_end=*/false); });
    // What is still open will be staged behind the order; what cannot be merged is tried again.
    if (!open_.empty() || num_staged_ > 0) {
      SetRollTimer(effects);
    }
    co_return Status::OK();
  }
  const WriterOptions& options = config_.writer_options;
  const runtime::SteadyTime now = effects.clock().Now();
  const bool all_wait = effects.all_wait();
  for (const otap::Signal signal : otap::kAllSignals) {
    CloseOlder(signal, now - options.flush_when_older_than, lake::CloseReason::kAge);
    if (all_wait) {
      CloseOlder(signal, now - options.flush_when_all_wait_for, lake::CloseReason::kAllWait);
    }
  }
  SetTimer(effects);
  co_return Status::OK();
}

runtime::Task<Status> ParquetExporter::Finish(engine::Effects&) {
  Tell([](LakeWorker& worker) { worker.CloseAll(); });
  while (!open_.empty()) {
    co_await progress_->Wait();
  }
  if (config_.writer_options.roll_when_older_than.has_value()) {
    Tell([](LakeWorker& worker) { worker.Roll(/*to_the_end=*/true); });
    while (!is_settled()) {
      co_await progress_->Wait();
    }
  }
  OnCollect();
  co_return Status::OK();
}

void ParquetExporter::OnMemoryPressure(engine::MemoryPressure pressure) {
  if (pressure != engine::MemoryPressure::kNormal && worker_ != nullptr) {
    Tell([](LakeWorker& worker) { worker.Encode(); });
  }
}

void ParquetExporter::Take(WorkReport report) {
  num_orders_ -= report.is_answer ? 1 : 0;
  has_recovered_ = has_recovered_ || report.is_answer;
  metrics_.staged_sets->Add(report.staged_sets - num_staged_);
  num_staged_ = report.staged_sets;
  for (const uint64_t number : report.taken) {
    queued_bytes_ -= std::exchange(open_.at(number).queued_bytes, 0);
  }
  for (const uint64_t number : report.encoded) {
    Release(&open_.at(number));
  }
  for (const BatchDone& done : report.done) {
    Complete(done);
  }
  for (const ClosedFiles& closed : report.closed) {
    TakeClosed(closed);
  }
  for (const MergedFiles& merged : report.merged) {
    TakeMerged(merged);
  }
  progress_->Notify();
}

void ParquetExporter::Release(OpenBatch* batch) {
  metrics_.held_bytes->Add(-std::exchange(batch->held_bytes, 0));
  batch->charge.Release();
}

void ParquetExporter::Complete(const BatchDone& done) {
  const auto found = open_.find(done.number);
  OpenBatch batch = std::move(found->second);
  open_.erase(found);
  metrics_.open_batches->Add(-1);
  Release(&batch);
  if (done.status.ok()) {
    ++num_acked_;
    batch.token.Ack();
    return;
  }
  ++num_nacked_;
  num_refused_ += done.is_malformed ? 1 : 0;
  if (first_error_.empty()) {
    first_error_ = done.status.message();
  }
  batch.token.Nack(done.status.message(), done.is_malformed);
}

void ParquetExporter::TakeClosed(const ClosedFiles& closed) {
  metrics_.flushes[static_cast<size_t>(closed.reason)]->Add(1);
  AddWritten(closed.counts);
  if (!closed.status.ok()) {
    LogDebug("parquet exporter '{}': {}", info_.node, closed.status.message());
  }
}

void ParquetExporter::TakeMerged(const MergedFiles& merged) {
  if (merged.status.ok()) {
    metrics_.merged_sets->Add(merged.num_sets);
  } else {
    metrics_.failed_merges->Add(1);
  }
  AddWritten(merged.counts);
}

void ParquetExporter::AddWritten(const lake::FileCounts& counts) {
  metrics_.files->Add(counts.files);
  metrics_.rows->Add(counts.rows);
  metrics_.bytes->Add(counts.bytes);
  written_.files += counts.files;
  written_.rows += counts.rows;
  written_.bytes += counts.bytes;
}

engine::NodeReport ParquetExporter::Report() {
  engine::NodeReport report;
  report.lines.push_back(fmt::format("wrote {} batches as {} files, {} rows, {} bytes, to {}",
                                     num_acked_, written_.files, written_.rows, written_.bytes,
                                     config_.uri.Describe(config_.uri.path)));
  if (config_.dead_letters && num_acked_ > 0) {
    report.lines.push_back(
        fmt::format("{} batches are dead letters: 'df_engine replay {}' sends them again",
                    num_acked_, config_.uri.Describe(config_.uri.path)));
    report.num_problems += num_acked_;
  }
  if (num_staged_ > 0) {
    report.lines.push_back(
        fmt::format("left {} sets of files staged: the next start with this base_uri makes them "
                    "visible",
                    num_staged_));
    report.num_problems += num_staged_;
  }
  if (num_nacked_ > 0) {
    report.lines.push_back(
        fmt::format("did not write {} batches, {} of them permanently; the first: {}", num_nacked_,
                    num_refused_, first_error_));
    report.num_problems += num_refused_;
  }
  return report;
}

}  // namespace df::nodes::exporters::parquet
