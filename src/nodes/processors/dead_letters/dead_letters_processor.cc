#include "nodes/processors/dead_letters/dead_letters_processor.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "otap/dead_letter.h"

namespace df::nodes::processors::dead_letters {
namespace {

using enum telemetry::InstrumentKind;
constexpr telemetry::Instrument kBatches = {
    kCounter, "df.dead_letters.batches", "{batch}",
    "Batches that were refused permanently and are durable as dead letters"};
constexpr telemetry::Instrument kItems = {kCounter, "df.dead_letters.items", "{item}",
                                          "Items of dead letters that were refused", "signal"};
constexpr telemetry::Instrument kFailed = {
    kCounter, "df.dead_letters.failed", "{batch}",
    "Batches that were refused permanently and could not be written as dead letters"};
constexpr telemetry::Instrument kWaiting = {kUpDownCounter, "df.dead_letters.waiting", "{batch}",
                                            "Refused batches that are not durable yet"};

constexpr std::string_view kLettersPort = "dead_letters";
constexpr engine::TimerId kFailureTimer = 0;

std::string TimeText(runtime::WallTime time) {
  const auto nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(nanos / 1'000'000'000);
  return fmt::format("{:%FT%T}.{:09}Z", fmt::gmtime(seconds), nanos % 1'000'000'000);
}

/// Whether the destination will never take some of a batch.
bool IsRefusal(const engine::Outcome& outcome) {
  return outcome.is_ack ? outcome.partial != nullptr &&
                              outcome.partial->num_refused > outcome.partial->num_dead_letters
                        : outcome.is_permanent && outcome.cause == engine::NackCause::kRefused;
}

const std::string& ReasonOf(const engine::Outcome& refusal) {
  return refusal.is_ack ? refusal.partial->refusal : refusal.reason;
}

}  // namespace

Status DeadLettersProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  ARROW_ASSIGN_OR_RAISE(letters_port_, effects.FindPort(kLettersPort));
  if (letters_port_ == effects.default_port()) {
    return Status::Invalid(
        fmt::format("the default output is '{}', expected the one that leads to the destination: "
                    "connect it, and name it in default_output",
                    kLettersPort));
  }
  changed_.emplace(&effects.loop());
  has_letter_.emplace(&effects.loop());
  telemetry::MetricSet& metrics = effects.metrics();
  batches_ = &metrics.AddCounter(kBatches);
  failed_ = &metrics.AddCounter(kFailed);
  waiting_ = &metrics.AddGauge(kWaiting);
  for (const otap::Signal signal : otap::kAllSignals) {
    items_[static_cast<size_t>(signal)] =
        &metrics.AddCounter(kItems, {{"signal", std::string(otap::Name(signal))}});
  }
  const engine::InstanceInfo& info = effects.info();
  outages_.emplace(engine::OutageLog::Words{.subject = fmt::format("{}/{}: node '{}', instance {}",
                                                                   info.group, info.pipeline,
                                                                   info.node, info.instance_index),
                                            .failing = "dead letters cannot be written",
                                            .working = "dead letters are written again",
                                            .failures = "batches not written"},
                   &effects.clock());
  sending_ = SendLetters();
  sending_.Start();
  return Status::OK();
}

runtime::Task<Status> DeadLettersProcessor::Process(engine::Pdata pdata, engine::Effects& effects) {
  while (failure_.ok() && std::cmp_greater_equal(kept_.size(), config_->max_in_flight)) {
    co_await changed_->Wait();
  }
  if (!failure_.ok()) {
    co_return failure_;
  }
  const uint64_t number = next_number_++;
  engine::Pdata copy(pdata.batch, effects.MakeToken(this, number << 1));
  // The bytes are counted by what is kept, also while the batch is elsewhere.
  copy.charge = pdata.charge.Share();
  kept_[number].pdata = std::move(pdata);
  ++num_at_destination_;
  co_await effects.Send(std::move(copy));
  co_return failure_;
}

void DeadLettersProcessor::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  if ((calldata & 1) != 0) {
    OnLetterOutcome(calldata >> 1, outcome);
  } else {
    --num_at_destination_;
    OnAnswer(calldata >> 1, outcome);
  }
  changed_->NotifyAll();
}

void DeadLettersProcessor::OnAnswer(uint64_t number, const engine::Outcome& outcome) {
  if (!IsRefusal(outcome)) {
    if (outcome.partial != nullptr && !outcome.is_ack && outcome.partial->num_refused > 0) {
      // Which items were refused is not known: sent again, the whole batch shows it. The rest alone
      // would leave them out of the dead letters.
      engine::Outcome whole = outcome;
      whole.partial = nullptr;
      return Complete(number, whole);
    }
    return Complete(number, outcome);
  }
  Kept& kept = kept_.at(number);
  kept.refusal = outcome;
  kept.num_refused = outcome.is_ack ? outcome.partial->num_refused : kept.pdata.batch->num_items();
  queue_.push_back(number);
  has_letter_->Notify();
}

Result<otap::BatchPtr> DeadLettersProcessor::MakeLetter(const Kept& kept) const {
  ARROW_ASSIGN_OR_RAISE(const otap::BatchPtr batch, otap::WithTables(kept.pdata.batch));
  const engine::InstanceInfo& info = effects_->info();
  const bool is_whole = kept.num_refused >= batch->num_items();
  return otap::MarkDeadLetter(
      batch, {.reason = PrintableText(ReasonOf(kept.refusal)),
              .status = is_whole ? "refused" : "refused_in_part",
              .refused_items = kept.num_refused,
              .time = TimeText(effects_->clock().WallNow()),
              .source = fmt::format("{}/{}/{}", info.group, info.pipeline, info.node)});
}

runtime::Task<> DeadLettersProcessor::SendLetters() {
  while (true) {
    while (queue_.empty()) {
      co_await has_letter_->Wait();
    }
    const uint64_t number = queue_.front();
    queue_.pop_front();
    Kept& kept = kept_.at(number);
    const Result<otap::BatchPtr> letter = MakeLetter(kept);
    if (!letter.ok()) {
      OnLetterOutcome(number,
                      engine::Outcome::Nack(letter.status().message(), /*is_permanent=*/true));
      changed_->NotifyAll();
      continue;
    }
    engine::Pdata copy(*letter, effects_->MakeToken(this, number << 1 | 1));
    copy.charge = kept.pdata.charge.Share();
    is_sending_letter_ = true;
    co_await effects_->Send(std::move(copy), letters_port_);
    is_sending_letter_ = false;
    changed_->NotifyAll();
  }
}

void DeadLettersProcessor::OnLetterOutcome(uint64_t number, const engine::Outcome& outcome) {
  const Kept& kept = kept_.at(number);
  const engine::Outcome& refusal = kept.refusal;
  if (outcome.is_ack) {
    outages_->Succeeded();
    ++num_letters_;
    batches_->Add(1);
    const auto signal = static_cast<size_t>(kept.pdata.batch->signal());
    num_items_[signal] += kept.num_refused;
    items_[signal]->Add(kept.num_refused);
    auto partial = std::make_shared<engine::PartialDelivery>();
    partial->num_delivered = std::max<int64_t>(kept.pdata.batch->num_items() - kept.num_refused, 0);
    partial->num_refused = kept.num_refused;
    partial->num_dead_letters = kept.num_refused;
    partial->refusal = ReasonOf(refusal);
    engine::Outcome ack = engine::Outcome::Ack();
    ack.partial = std::move(partial);
    return Complete(number, ack);
  }
  ++num_failed_;
  failed_->Add(1);
  outages_->Failed(outcome.reason);
  if (first_failure_.empty()) {
    first_failure_ = outcome.reason;
  }
  // What ends with its node says nothing of the folder.
  const bool has_failed = outcome.cause == engine::NackCause::kRefused;
  if (has_failed && config_->on_error == OnError::kStop && failure_.ok()) {
    // Not to be started again: what the folder does not take is refused once more.
    failure_ = MakeError(
        ErrorKind::kIo,
        fmt::format("a dead letter cannot be written (on_error: stop): {}", outcome.reason), {},
        /*retryable=*/false);
    effects_->WakeAt(kFailureTimer, effects_->clock().Now());
  }
  const std::string reason = fmt::format("{}; it could not be written as a dead letter: {}",
                                         ReasonOf(refusal), outcome.reason);
  engine::Outcome told = refusal;
  if (refusal.is_ack) {
    // Most of it may be delivered, and must not be sent again.
    auto partial = std::make_shared<engine::PartialDelivery>(*refusal.partial);
    partial->refusal = reason;
    told.partial = std::move(partial);
  } else {
    // A sender that still has it keeps it until there is room for it.
    told = engine::Outcome::Nack(reason, outcome.is_permanent, outcome.cause);
  }
  Complete(number, told);
}

void DeadLettersProcessor::Complete(uint64_t number, const engine::Outcome& outcome) {
  auto kept = kept_.extract(number);
  kept.mapped().pdata.token.Complete(outcome);
}

runtime::Task<Status> DeadLettersProcessor::OnTimer(engine::TimerId, engine::Effects&) {
  co_return failure_;
}

runtime::Task<Status> DeadLettersProcessor::Finish(engine::Effects&) {
  while (num_at_destination_ > 0 || !queue_.empty() || is_sending_letter_) {
    co_await changed_->Wait();
  }
  co_return failure_;
}

Status DeadLettersProcessor::OnConfig(const engine::NodeConfigPtr& config) {
  config_ = std::static_pointer_cast<const DeadLettersConfig>(config);
  changed_->NotifyAll();  // there may be room now
  return Status::OK();
}

void DeadLettersProcessor::OnCollect() {
  waiting_->Set(static_cast<int64_t>(kept_.size()) - num_at_destination_);
}

engine::NodeReport DeadLettersProcessor::Report() {
  engine::NodeReport report;
  if (num_letters_ > 0) {
    std::vector<std::string> parts;
    for (const otap::Signal signal : otap::kAllSignals) {
      if (const int64_t items = num_items_[static_cast<size_t>(signal)]; items > 0) {
        parts.push_back(fmt::format("{} of {}", items, otap::Name(signal)));
      }
    }
    report.lines.push_back(fmt::format("{} batches are dead letters; items refused: {}",
                                       num_letters_, fmt::join(parts, ", ")));
    report.num_problems += num_letters_;
  }
  if (num_failed_ > 0) {
    report.lines.push_back(fmt::format(
        "{} refused batches could not be written as dead letters, and were not delivered; the "
        "first: {}",
        num_failed_, first_failure_));
    report.num_problems += num_failed_;
  }
  return report;
}

}  // namespace df::nodes::processors::dead_letters
