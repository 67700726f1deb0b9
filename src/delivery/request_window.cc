#include "delivery/request_window.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "telemetry/metric_set.h"

namespace df::delivery {
namespace {

// Time for senders to hear what became of their batches.
constexpr std::chrono::seconds kDrainMargin{1};
// What is asked for beyond it is asked for again by the server's next answer.
constexpr std::chrono::minutes kLongestPause{5};
constexpr char kGivenUp[] = "the pipeline ends, and the server has not answered";

}  // namespace

RequestWindow::RequestWindow(engine::Effects* effects, RequestTransport* transport,
                             otlp::Encoding encoding, int64_t max_in_flight,
                             const WindowInstruments& instruments)
    : effects_(effects),
      transport_(transport),
      encoding_(encoding),
      max_in_flight_(max_in_flight),
      in_flight_(effects->metrics().AddGauge(instruments.in_flight)),
      rejected_(effects->metrics().AddCounter(instruments.rejected)),
      cut_(effects->metrics().AddCounter(instruments.cut)),
      too_large_(effects->info().node, &effects->metrics().AddCounter(instruments.too_large)),
      changed_(&effects->loop()),
      drain_margin_(effects, kDrainMargin, [this] { GiveUp(); }) {}

runtime::Task<void> RequestWindow::Send(engine::Pdata pdata, RequestLimit* limit) {
  co_await WaitForTurn();
  if (has_given_up_) {
    CountFailure(kGivenUp, /*is_permanent=*/false);
    pdata.token.Nack(kGivenUp, /*is_permanent=*/false);
    co_return;
  }
  calls_.remove_if([](const Call& call) { return call.task.is_done(); });
  Call& call = calls_.emplace_back(std::move(pdata), encoding_, Destination{limit, &too_large_});
  call.task = Deliver(&call);
  call.task.Start();
}

runtime::Task<void> RequestWindow::WaitForTurn() {
  do {
    while (num_in_flight_ >= max_in_flight_) {
      co_await changed_.Wait();
    }
    co_await WaitForPause();
  } while (num_in_flight_ >= max_in_flight_);
}

runtime::Task<void> RequestWindow::WaitForPause() {
  while (true) {
    // A drain that ends before the pause leaves one attempt only.
    const auto deadline = effects_->drain_deadline();
    const bool has_time = !deadline.has_value() || pause_end_ < *deadline;
    if (pause_end_ <= effects_->clock().Now() || !has_time) {
      co_return;
    }
    runtime::Cancellation* interruption = effects_->is_draining() ? nullptr : &effects_->drain();
    co_await effects_->loop().SleepUntil(pause_end_, interruption);
  }
}

runtime::Task<void> RequestWindow::Deliver(Call* call) {
  ++num_in_flight_;
  in_flight_.Set(num_in_flight_);
  std::optional<engine::Outcome> outcome;
  while (!outcome.has_value() && call->sender.Next()) {
    co_await WaitForPause();
    const RequestAnswer answer =
        co_await transport_->Send(call->sender.signal(), std::move(call->sender.request().body));
    outcome = TakeAnswer(call, answer);
  }
  EndCall(call, outcome.has_value() ? *outcome : call->sender.Finish());
}

std::optional<engine::Outcome> RequestWindow::TakeAnswer(Call* call, const RequestAnswer& answer) {
  BatchSender& sender = call->sender;
  if (answer.is_taken) {
    ++num_delivered_;
    const otlp::PartialSuccess partial = CountPartialSuccess(sender.signal(), answer);
    sender.Deliver(partial.rejected_items, partial.message);
    return std::nullopt;
  }
  LogDebug("node '{}': {}", effects_->info().node, answer.reason);
  if (answer.size_refusal.has_value()) {
    cut_.Add(sender.request().can_be_cut ? 1 : 0);
    sender.RefuseAsTooLarge(*answer.size_refusal, answer.reason);
    return std::nullopt;
  }
  if (answer.may_be_size && sender.TryInParts()) {
    cut_.Add(1);
    return std::nullopt;
  }
  if (answer.pause.has_value()) {
    const auto pause = std::min<std::chrono::nanoseconds>(*answer.pause, kLongestPause);
    pause_end_ = std::max(pause_end_, effects_->clock().Now() + pause);
  }
  if (!answer.is_permanent) {
    return sender.Stop(answer.reason);
  }
  sender.RefuseForGood(answer.reason);
  return std::nullopt;
}

otlp::PartialSuccess RequestWindow::CountPartialSuccess(otap::Signal signal,
                                                        const RequestAnswer& answer) {
  if (!answer.partial.ok()) {
    LogWarning("node '{}': a request was taken and given an answer that cannot be read: {}",
               effects_->info().node, answer.partial.status().message());
    return {};
  }
  const otlp::PartialSuccess& partial = *answer.partial;
  if (partial.rejected_items > 0) {
    rejected_.Add(partial.rejected_items);
    num_rejected_items_ += partial.rejected_items;
    if (first_rejection_.empty()) {
      first_rejection_ = partial.message;
    }
  }
  if (partial.rejected_items > 0 || !partial.message.empty()) {
    LogWarning("node '{}': the server has refused {} items of a request of {}: {}",
               effects_->info().node, partial.rejected_items, otap::Name(signal), partial.message);
  }
  return partial;
}

void RequestWindow::EndCall(Call* call, const engine::Outcome& outcome) {
  --num_in_flight_;
  in_flight_.Set(num_in_flight_);
  changed_.NotifyAll();
  stats_ += call->sender.stats();
  if (!outcome.is_ack) {
    CountFailure(outcome.reason, outcome.is_permanent);
  }
  if (outcome.partial != nullptr) {
    num_refused_items_ += outcome.partial->num_refused;
  }
  // Its memory is free with its outcome, not when the call is forgotten.
  engine::Pdata pdata = std::move(call->pdata);
  pdata.token.Complete(outcome);
}

void RequestWindow::CountFailure(const std::string& reason, bool is_permanent) {
  ++num_failed_;
  num_refused_ += is_permanent ? 1 : 0;
  if (first_failure_.empty()) {
    first_failure_ = reason;
  }
}

runtime::Task<void> RequestWindow::Finish() {
  while (num_in_flight_ > 0) {
    co_await changed_.Wait();
  }
  calls_.clear();
}

void RequestWindow::GiveUp() {
  has_given_up_ = true;
  for (Call& call : calls_) {
    if (!call.task.is_done()) {
      call.task = runtime::Task<void>();  // destroyed where it waits: the server hears of it
      transport_->OnGivenUp();
      EndCall(&call, call.sender.Stop(kGivenUp));
    }
  }
}

engine::NodeReport RequestWindow::Report(const std::string& server) const {
  engine::NodeReport report;
  report.lines.push_back(fmt::format("delivered {} requests{}", num_delivered_, server));
  if (num_failed_ > 0) {
    report.lines.push_back(fmt::format("{} batches failed, {} of them permanently; the first: {}",
                                       num_failed_, num_refused_, first_failure_));
  }
  if (num_rejected_items_ > 0) {
    report.lines.push_back(fmt::format("the server refused {} items of requests that it took; {}",
                                       num_rejected_items_, first_rejection_));
  }
  for (const auto& [count, what] :
       {std::pair(stats_.invalid_values, "values that cannot be read, sent empty"),
        std::pair(stats_.unknown_types, "values of unknown type, sent empty"),
        std::pair(stats_.unknown_metrics, "metrics of unknown type, sent without data"),
        std::pair(stats_.unreachable_points, "data points without metric, not sent"),
        std::pair(stats_.replaced_texts, "texts that are not UTF-8, replaced in part")}) {
    if (count > 0) {
      report.lines.push_back(fmt::format("altered: {} {}", count, what));
      report.num_problems += count;
    }
  }
  too_large_.AppendTo(&report.lines);
  report.num_problems += num_refused_items_ + num_refused_;
  return report;
}

}  // namespace df::delivery
