#include "nodes/receivers/parquet/parquet_receiver.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "lake/read/partition_reader.h"
#include "otap/dead_letter.h"
#include "otlp/encode.h"
#include "runtime/worker_thread.h"
#include "telemetry/names.h"

namespace df::nodes::receivers::parquet {
namespace {

/// Shares of the memory limit: what readers hold, and what waits in channels. The rest is what
/// pages, footers and the payload in hand take.
constexpr int64_t kReaderPercent = 40;
constexpr int64_t kChannelPercent = 15;
constexpr int64_t kChannelMessages = 4;
constexpr size_t kMaxNacksNamed = 20;

/// How long to wait before looking again whether everything of a lost lease has its outcome.
constexpr std::chrono::milliseconds kLostDelay(100);

constexpr std::array<const telemetry::Instrument*, 5> kSkipInstruments = {
    &telemetry::names::kReceiverSkippedFiles, &telemetry::names::kReceiverSkippedRowGroups,
    &telemetry::names::kReceiverSkippedPages, &telemetry::names::kReceiverSkippedRows,
    &telemetry::names::kReceiverSkippedSize};

/// Two generations of a node write to the same counters, each from its own workers.
std::mutex& CountersMutex() {
  static std::mutex mutex;
  return mutex;
}

/// Returns the sum of the items as a server gets them; nothing where they cannot be encoded: the
/// exporter says so.
std::optional<otlp::ItemSum> DigestOf(const otap::Batch& batch) {
  const auto request = otlp::EncodeRequest(batch);
  if (!request.ok()) {
    return std::nullopt;
  }
  const auto sum = otlp::SumOfItems(batch.signal(), *request);
  return sum.ok() ? std::optional(*sum) : std::nullopt;
}

/// Records that lie side by side in time are in files that are read at the same time.
constexpr int64_t kLeastWorkersByTime = 8;

int WorkersOf(const Replay& replay) {
  const int64_t wanted = replay.config().max_concurrent_partitions;
  return static_cast<int>(replay.pacing().goes_by_time() ? std::max(wanted, kLeastWorkersByTime)
                                                         : wanted);
}

/// Whether a nack says nothing of the batch, only that somebody has ended with it.
bool IsLoss(engine::NackCause cause) {
  return cause == engine::NackCause::kRouteClosed || cause == engine::NackCause::kNodeEnded ||
         cause == engine::NackCause::kDropped;
}

}  // namespace

ParquetReceiver::ParquetReceiver(std::shared_ptr<Replay> replay, engine::InstanceInfo info)
    : replay_(std::move(replay)),
      info_(std::move(info)),
      num_workers_(WorkersOf(*replay_)),
      budget_bytes_(replay_->config().memory_limit * kReaderPercent / 100 /
                    (info_.num_instances * num_workers_)),
      channel_bytes_(replay_->config().memory_limit * kChannelPercent / 100 / info_.num_instances) {
}

ParquetReceiver::~ParquetReceiver() { Stop(); }

void ParquetReceiver::Stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  replay_->Wake();
}

bool ParquetReceiver::is_stopped() {
  const std::lock_guard lock(mutex_);
  return is_stopped_;
}

void ParquetReceiver::End(Channel* channel) {
  Stop();
  channel->Close();  // before requests fail: no batch goes out that lacks what was not read
  if (std::exchange(has_begun_, false)) {
    replay_->Cease();
  }
}

runtime::Task<Status> ParquetReceiver::Run(engine::Effects& effects) {
  progress_.emplace(fmt::format("{}/{}: node '{}', instance {}", info_.group, info_.pipeline,
                                info_.node, info_.instance_index),
                    &effects.loop());
  Channel channel(&effects.loop(), {.max_messages = kChannelMessages, .max_bytes = channel_bytes_});
  const runtime::Cancellation::Subscription on_drain(&effects.drain(),
                                                     [this, &channel] { End(&channel); });
  rows_.listed = &effects.metrics().AddCounter(telemetry::names::kReceiverRowsListed);
  rows_.read = &effects.metrics().AddCounter(telemetry::names::kReceiverRowsRead);
  rows_.emitted = &effects.metrics().AddCounter(telemetry::names::kReceiverRowsEmitted);
  rows_.acked = &effects.metrics().AddCounter(telemetry::names::kReceiverRowsAcked);
  rows_.refused = &effects.metrics().AddCounter(telemetry::names::kReceiverRowsRefused);
  for (size_t reason = 0; reason < rows_.dropped.size(); ++reason) {
    rows_.dropped[reason] = &effects.metrics().AddCounter(
        telemetry::names::kReceiverRowsDropped,
        {{std::string(telemetry::names::kReason), std::string(lake::kDropReasonNames[reason])}});
  }
  for (size_t cause = 0; cause < rows_.skipped.size(); ++cause) {
    for (size_t unit = 0; unit < kSkipInstruments.size(); ++unit) {
      rows_.skipped[cause][unit] = &effects.metrics().AddCounter(
          *kSkipInstruments[unit],
          {{std::string(telemetry::names::kCause), std::string(lake::kSkipCauseNames[cause])}});
    }
  }
  for (size_t gap = 0; gap < rows_.watch_gaps.size(); ++gap) {
    rows_.watch_gaps[gap] = &effects.metrics().AddCounter(
        telemetry::names::kReceiverWatchGaps,
        {{std::string(telemetry::names::kCause), std::string(storage::kWatchGapNames[gap])}});
  }
  rows_.skipped_folders = &effects.metrics().AddCounter(telemetry::names::kReceiverSkippedFolders);
  for (size_t kind = 0; kind < rows_.errors.size(); ++kind) {
    rows_.errors[kind] = &effects.metrics().AddCounter(
        telemetry::names::kReceiverErrors,
        {{std::string(telemetry::names::kErrorKind), std::string(kErrorKindNames[kind])}});
  }
  if (info_.instance_index == 0) {
    found_size_ = &effects.metrics().AddGauge(telemetry::names::kReceiverSizeFound);
    paused_ = &effects.metrics().AddGauge(telemetry::names::kReceiverPaused);
    waiting_size_ = &effects.metrics().AddGauge(telemetry::names::kReceiverSizeWaiting);
    if (replay_->checkpoint() != nullptr) {
      failed_saves_ = &effects.metrics().AddCounter(telemetry::names::kReceiverCheckpointFailures);
      checkpoint_age_ = &effects.metrics().AddGauge(telemetry::names::kReceiverCheckpointAge);
    }
    if (replay_->checkpoint() != nullptr && replay_->checkpoint()->is_shared()) {
      leases_held_ = &effects.metrics().AddGauge(telemetry::names::kReceiverLeasesHeld);
      leases_lost_ = &effects.metrics().AddCounter(telemetry::names::kReceiverLeasesLost);
    }
  }
  if (info_.instance_index == 0 && replay_->pacing().goes_by_time()) {
    pace_lag_ = &effects.metrics().AddGauge(telemetry::names::kReceiverPaceLag);
    pace_skipped_ = &effects.metrics().AddCounter(telemetry::names::kReceiverPaceSkipped);
  }
  if (!replay_->store()->is_local()) {
    const std::lock_guard lock(CountersMutex());
    requests_.emplace(&effects.metrics());
  }
  // Shared with the last worker's message: the frame may be gone when that arrives.
  auto workers_ended = std::make_shared<runtime::Wakeup>(&effects.loop());
  num_working_ = num_workers_;
  has_begun_ = true;
  replay_->Begin();
  std::vector<std::unique_ptr<runtime::WorkerThread>> workers;
  const Closer closer(this, &channel);
  for (int i = 0; i < num_workers_; ++i) {
    workers.push_back(std::make_unique<runtime::WorkerThread>(
        fmt::format("parquet-{}", i), info_.core,
        [this, &channel, workers_ended, loop = &effects.loop()] {
          if (Work(&channel)) {
            loop->Post([workers_ended] { workers_ended->Notify(); });
          }
        }));
  }
  // Shared as above: who lets a held replay go on may do so while the frame ends.
  auto let_go = std::make_shared<runtime::Wakeup>(&effects.loop());
  const Gate::Waiter waiter(&replay_->pacing().gate(), [let_go, loop = &effects.loop()] {
    loop->Post([let_go] { let_go->Notify(); });
  });
  const runtime::Cancellation::Subscription drain_ends_hold(&effects.drain(),
                                                            [let_go] { let_go->Notify(); });
  bool has_room = true;
  while (has_room) {
    std::optional<Message> message = co_await channel.Pop();
    while (message.has_value() && !effects.is_draining() &&
           !replay_->pacing().TryPass(&message->passing)) {
      co_await let_go->Wait();
    }
    if (!message.has_value() || effects.is_draining()) {
      break;
    }
    if (!message->delivery.MayBeSent()) {
      Passage& passage = *message->passage;
      message->delivery = {};  // its rows count as not sent
      passage.has_lost_lease = true;
      --passage.num_open;
      continue;
    }
    const uint64_t calldata = next_calldata_++;
    progress_->Sent(message->payload.batch->num_items());
    const lake::Origin& origin = message->payload.origin;
    const int64_t num_items = message->payload.batch->num_items();
    rows_.emitted->Add(origin.num_emitted());
    replay_->ledger().OnSent(message->passage->files.at(origin.file).get(), origin, num_items);
    unanswered_.emplace(
        calldata,
        Unanswered{std::move(message->payload.origin), message->payload.batch->signal(), num_items,
                   message->digest, std::move(message->passage), std::move(message->delivery)});
    engine::Pdata pdata{std::move(message->payload.batch), effects.MakeToken(this, calldata)};
    has_room = co_await effects.Send(std::move(pdata));
  }
  End(&channel);
  co_await workers_ended->Wait();  // a worker looks at the channel after every payload
  workers.clear();
  const std::lock_guard lock(mutex_);
  co_return worker_status_;
}

void ParquetReceiver::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  const auto found = unanswered_.find(calldata);
  const lake::Origin& origin = found->second.origin;
  Passage& passage = *found->second.passage;
  progress_->Answered(outcome.is_ack);
  const int64_t num_items = found->second.num_items;
  int64_t num_refused = 0;
  int64_t num_dead_letters = 0;
  if (outcome.is_ack) {
    num_refused = outcome.partial == nullptr ? 0 : outcome.partial->num_refused;
    num_dead_letters = outcome.partial == nullptr ? 0 : outcome.partial->num_dead_letters;
    // A batch that was refused in part is not retried (OTLP, partial success), and has not arrived
    // whole. Which part it was is not known. As one that was refused whole permanently, it goes
    // into the quarantine of the checkpoint; without one, the next generation of the node or a
    // later run sends it again. What is among the dead letters is sent from there.
    if (num_refused > num_dead_letters) {
      found->second.delivery.RefuseInPart(fmt::format("{} of {} items refused: {}", num_refused,
                                                      num_items, outcome.partial->refusal));
    } else {
      found->second.delivery.Ack();
    }
  } else if (!IsLoss(outcome.cause)) {
    if (outcome.is_permanent) {
      found->second.delivery.RefuseForGood(outcome.reason);
    } else {
      found->second.delivery.Refuse();
    }
    num_refused = num_items;
  }
  if (!outcome.is_ack && IsLoss(outcome.cause)) {
    ++num_lost_;
    passage.is_lost = true;  // its outcome is not known: it stays in flight
  } else {
    replay_->ledger().OnOutcome(passage.files.at(origin.file).get(), origin,
                                std::max<int64_t>(num_items - num_refused, 0), num_refused,
                                num_dead_letters);
    if (outcome.is_ack && replay_->config().digest) {
      CountDigest(found->second, num_refused);
    }
  }
  if (num_refused > 0) {
    ++num_nacked_;
    rows_.refused->Add(origin.num_emitted());
    if (nacks_.size() < kMaxNacksNamed) {
      nacks_.push_back(
          fmt::format("not delivered: {} row group {} rows {} to {}: {}{}", origin.file,
                      origin.row_group, origin.first_row, origin.first_row + origin.num_rows - 1,
                      outcome.is_ack ? fmt::format("{} of {} items refused: {}", num_refused,
                                                   num_items, outcome.partial->refusal)
                                     : outcome.reason,
                      num_dead_letters > 0 ? " (dead letters)" : ""));
    }
  } else if (outcome.is_ack) {
    ++num_acked_;
    rows_.acked->Add(origin.num_emitted());
  }
  --passage.num_open;
  unanswered_.erase(found);
}

void ParquetReceiver::CountDigest(const Unanswered& delivered, int64_t num_refused) {
  if (num_refused == 0 && delivered.digest.has_value()) {
    replay_->ledger().OnDigest(delivered.signal, *delivered.digest);
  } else {
    replay_->ledger().OnWithoutDigest(delivered.signal,
                                      std::max<int64_t>(delivered.num_items - num_refused, 0));
  }
}

bool ParquetReceiver::Work(Channel* channel) {
  Status status;
  try {
    status = WorkUntilStopped(channel);
    replay_->LogNewProblems();
    CountFindings();
  } catch (const std::exception& error) {  // the instance fails, the process goes on
    status = Status::UnknownError("reading ended early: ", error.what());
  }
  const std::lock_guard lock(mutex_);
  if (!status.ok() && worker_status_.ok()) {
    worker_status_ = status;
  }
  if (--num_working_ > 0) {
    return false;
  }
  channel->Close();
  return true;
}

Status ParquetReceiver::WorkUntilStopped(Channel* channel) {
  if (const Status found = replay_->FindTraces(budget_bytes_, [this] { return is_stopped(); });
      !found.ok()) {
    return is_stopped() ? Status::OK() : found;
  }
  while (true) {
    if (is_stopped()) {
      return Status::OK();
    }
    const bool has_lost = OfferLostAgain();
    // Before the work is taken: others must not take a later one, and start the clock with that.
    std::optional<Pacing::Turn> turn(std::in_place, &replay_->pacing());
    auto found = replay_->work_list().Take();
    if (!found.ok() && is_stopped()) {
      LogWarning("parquet receiver: stopped before the tree was listed: {}",
                 found.status().message());
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(lake::WorkList::Taken taken, std::move(found));
    replay_->LogNewProblems();
    CountFindings();
    if (taken.work.has_value()) {
      // It counts as listed, also where nothing of it can go out.
      auto passage = Begin(std::move(*taken.work));
      ARROW_RETURN_NOT_OK(replay_->pacing().Learn(replay_->work_list().found_times()));
      ARROW_RETURN_NOT_OK(ReplayPartition(std::move(passage), channel));
      continue;
    }
    turn.reset();
    if (!taken.wait_until.has_value() && has_lost) {
      taken.wait_until = std::chrono::system_clock::now() + kLostDelay;
    }
    if (!taken.wait_until.has_value()) {
      return Status::OK();
    }
    replay_->work_list().Wait(taken, [this] { return is_stopped(); });
  }
}

std::shared_ptr<ParquetReceiver::Passage> ParquetReceiver::Begin(lake::PartitionWork work) {
  auto passage = std::make_shared<Passage>(std::move(work));
  int64_t num_new_rows = 0;
  for (const lake::PartitionTask& task : passage->work.tasks) {
    const auto& roots = task.files->of(otap::RootTable(task.signal));
    for (size_t i = 0; i < task.root_files.size(); ++i) {
      const lake::FileSummary& root = *roots[task.root_files[i]];
      bool is_new = false;
      const auto file = replay_->ledger().Open(task.files->partition, root, &is_new);
      passage->files[root.entry.path] = file;
      if (is_new) {
        num_new_rows += root.num_rows();
        const lake::RowRanges quarantined = task.claims[i]->Quarantined();
        const lake::RowRanges dropped = task.claims[i]->Dropped();
        lake::RowRanges delivered = task.taken[i];
        for (const lake::RowRanges* rows : {&quarantined, &dropped}) {
          rows->VisitRuns([&delivered](int row_group, int64_t first, int64_t count) {
            delivered.Remove(row_group, first, count);
          });
        }
        replay_->ledger().OnDeliveredBefore(file.get(), delivered);
        replay_->ledger().OnQuarantinedBefore(file.get(), quarantined, dropped);
      }
    }
  }
  {
    const std::lock_guard lock(CountersMutex());
    rows_.listed->Add(num_new_rows);
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(passages_, [this](const auto& earlier) {
    if (earlier->is_done()) {
      for (const auto& [path, file] : earlier->files) {
        replay_->ledger().Release(file);
      }
      return true;
    }
    return false;
  });
  passages_.push_back(passage);
  return passage;
}

Status ParquetReceiver::ReplayPartition(const std::shared_ptr<Passage>& passage, Channel* channel) {
  const lake::PartitionWork& work = passage->work;
  lake::MemoryBudget budget(budget_bytes_);
  lake::ReadReport report;
  std::vector<lake::RootOutcome> outcomes;
  Result<bool> is_open = true;
  for (size_t i = 0; i < work.tasks.size() && is_open.ok() && *is_open; ++i) {
    is_open = ReplayTask(work.tasks[i], passage, channel, &budget, &report, &outcomes);
  }
  const bool is_read = is_open.ok() && *is_open;
  const int64_t num_partitions = work.is_rest ? 0 : 1;
  report.partitions = is_read ? num_partitions : 0;
  report.partitions_stopped = is_read ? 0 : num_partitions;
  report = replay_->work_list().Done(outcomes, std::move(report));
  Count(report);
  LogDebug("parquet receiver: partition '{}': {} payloads, {} items", work.files->partition,
           report.payloads, report.items);
  passage->is_read = is_read;  // its work may be offered again from now on
  return is_open.status();
}

void ParquetReceiver::CountFindings() {
  const std::lock_guard lock(CountersMutex());
  const lake::ErrorCounts added = replay_->TakeNewErrors();
  for (size_t kind = 0; kind < added.size(); ++kind) {
    rows_.errors[kind]->Add(added[kind]);
  }
  rows_.skipped_folders->Add(replay_->TakeNewSkippedFolders());
  const storage::FolderWatch::Gaps gaps = replay_->TakeNewWatchGaps();
  for (size_t gap = 0; gap < gaps.size(); ++gap) {
    rows_.watch_gaps[gap]->Add(gaps[gap]);
  }
  if (requests_.has_value()) {
    requests_->Add(replay_->TakeNewRequests());
  }
}

void ParquetReceiver::OnCollect() {
  if (paused_ != nullptr) {
    paused_->Set(replay_->pacing().hold().is_held ? 1 : 0);
  }
  if (found_size_ != nullptr) {
    const lake::WorkList::Sizes sizes = replay_->work_list().sizes();
    found_size_->Set(sizes.found_bytes);
    waiting_size_->Set(sizes.waiting_bytes);
  }
  if (pace_lag_ != nullptr) {
    const Pacer::Figures figures = replay_->pacing().figures();
    pace_lag_->Set(figures.behind.count());
    pace_skipped_->Add(figures.jumped.count() - pace_skipped_counted_);
    pace_skipped_counted_ = figures.jumped.count();
  }
  const std::lock_guard lock(CountersMutex());
  if (failed_saves_ != nullptr) {
    failed_saves_->Add(replay_->checkpoint()->TakeFailedSaves());
    checkpoint_age_->Set(replay_->checkpoint()->Age().count());
  }
  if (leases_held_ != nullptr) {
    leases_held_->Set(replay_->checkpoint()->num_leases_held());
    const int64_t lost = replay_->checkpoint()->num_leases_lost();
    leases_lost_->Add(lost - std::exchange(leases_lost_counted_, lost));
  }
  if (requests_.has_value()) {
    requests_->Add(replay_->TakeNewRequests());
  }
}

Status ParquetReceiver::OnConfig(const engine::NodeConfigPtr& config) {
  replay_->Apply(static_cast<const ParquetNodeConfig&>(*config).config);
  return Status::OK();
}

void ParquetReceiver::Count(const lake::ReadReport& report) {
  const std::lock_guard lock(CountersMutex());
  for (const otap::Signal signal :
       {otap::Signal::kLogs, otap::Signal::kTraces, otap::Signal::kMetrics}) {
    const lake::TableCounts& roots = report.table(otap::RootTable(signal));
    rows_.read->Add(roots.rows_read);
    for (size_t reason = 0; reason < rows_.dropped.size(); ++reason) {
      rows_.dropped[reason]->Add(roots.rows_dropped[reason]);
    }
  }
  for (size_t cause = 0; cause < rows_.skipped.size(); ++cause) {
    const lake::SkipCounts& skipped = report.skips[cause];
    const std::array counts = {skipped.files, skipped.row_groups, skipped.pages, skipped.rows,
                               skipped.bytes};
    for (size_t unit = 0; unit < counts.size(); ++unit) {
      rows_.skipped[cause][unit]->Add(counts[unit]);
    }
  }
}

Result<bool> ParquetReceiver::ReplayTask(const lake::PartitionTask& task,
                                         const std::shared_ptr<Passage>& passage, Channel* channel,
                                         lake::MemoryBudget* budget, lake::ReadReport* report,
                                         std::vector<lake::RootOutcome>* outcomes) {
  auto reader = lake::PartitionReader::Make(replay_->store(), replay_->base(), task,
                                            replay_->read_options(), budget, report);
  if (!reader.ok()) {
    report->Add(reader.status());
    EndFiles(task, {}, passage.get());
    return true;
  }
  std::map<std::string, std::shared_ptr<lake::FileClaim>> claims;  // by path
  std::set<std::string> marked;                                    // files with dead letters
  std::set<std::string> unsent;                                    // files that others may send
  for (size_t i = 0; i < task.root_files.size(); ++i) {
    const auto& roots = task.files->of(otap::RootTable(task.signal));
    const lake::FileSummary& root = *roots[task.root_files[i]];
    claims.emplace(root.entry.path, task.claims[i]);
    if (root.holds_dead_letters && !replay_->config().keeps_dead_letter_marks) {
      marked.insert(root.entry.path);
    }
  }
  bool is_open = true;
  uint64_t num_changes = 0;
  while (is_open) {
    if (const auto limits = replay_->LimitsSince(&num_changes); limits.has_value()) {
      (*reader)->Limit(limits->batch_size, limits->span);
    }
    auto payload = (*reader)->Next();
    if (!payload.ok()) {
      report->Add(payload.status());  // this partition ends here; others go on
      break;
    }
    if (!payload->has_value()) {
      break;
    }
    if ((*payload)->batch == nullptr) {
      replay_->ledger().OnLeftOut(passage->files.at((*payload)->origin.file).get(),
                                  (*payload)->origin);
      is_open = !is_stopped();
      continue;
    }
    const lake::Origin& origin = (*payload)->origin;
    if (!claims.at(origin.file)->MaySend()) {
      passage->has_lost_lease = true;
      unsent.insert(origin.file);
      is_open = !is_stopped();
      continue;
    }
    if (marked.contains(origin.file)) {
      auto unmarked = otap::UnmarkDeadLetter((*payload)->batch);
      if (!unmarked.ok()) {
        report->Add(unmarked.status());
        break;
      }
      (*payload)->batch = *std::move(unmarked);
    }
    replay_->ledger().OnRead(passage->files.at(origin.file).get(), origin);
    ARROW_ASSIGN_OR_RAISE(
        auto passing, replay_->pacing().Admit(&(*payload)->batch, [this] { return is_stopped(); }));
    is_open = passing.has_value();
    if (!is_open) {
      break;
    }
    const int64_t size_bytes = (*payload)->batch->size_bytes();
    lake::Delivery delivery =
        claims.at(origin.file)->Send(origin.row_group, origin.first_row, origin.num_rows);
    ++passage->num_open;
    std::optional<otlp::ItemSum> digest;
    if (replay_->config().digest) {
      digest = DigestOf(*(*payload)->batch);
    }
    is_open = channel->Push(
        {std::move(**payload), passage, std::move(delivery), digest, *std::move(passing)},
        size_bytes);
  }
  // What failed because nobody waits any more has not been read as far as it can be.
  const std::vector<lake::RootOutcome>& ended = (*reader)->outcomes();
  is_open = is_open && !(is_stopped() && std::any_of(ended.begin(), ended.end(),
                                                     [](const lake::RootOutcome& outcome) {
                                                       return !outcome.status.ok();
                                                     }));
  for (const lake::RootOutcome& outcome : ended) {
    replay_->ledger().OnSelectedOut(passage->files.at(outcome.file->entry.path).get(),
                                    outcome.selected_out);
  }
  outcomes->insert(outcomes->end(), ended.begin(), ended.end());
  if (is_open) {
    EndFiles(task, unsent, passage.get());
  }
  return is_open;
}

void ParquetReceiver::EndFiles(const lake::PartitionTask& task, const std::set<std::string>& unsent,
                               Passage* passage) {
  for (const size_t index : task.root_files) {
    const lake::FileSummary& root = *task.files->of(otap::RootTable(task.signal))[index];
    if (unsent.contains(root.entry.path)) {
      continue;
    }
    replay_->ledger().OnEnd(passage->files.at(root.entry.path).get());
  }
}

}  // namespace df::nodes::receivers::parquet
