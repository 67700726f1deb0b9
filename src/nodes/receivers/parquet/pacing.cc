#include "nodes/receivers/parquet/pacing.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/read/time_cut.h"
#include "otap/attribute_edit.h"
#include "otap/time_shift.h"
#include "otlp/encode.h"

namespace df::nodes::receivers::parquet {

Pacing::Pacing(const PaceOptions& pace, TimeOptions time, const runtime::Clock& clock)
    : clock_(clock),
      time_(std::move(time)),
      began_nanos_(std::chrono::nanoseconds(clock.WallNow().time_since_epoch()).count()),
      pacer_(pace, clock),
      shift_nanos_(time_.shift.by.value_or(std::chrono::nanoseconds(0)).count()) {}

Status Pacing::Learn(const lake::WorkList::FoundTimes& found) {
  if (!time_.needs_found_times()) {
    return Status::OK();
  }
  std::call_once(learnt_, [&] {
    if (const auto kept = found_shift_->Get()) {
      shift_nanos_ = *kept;
      return;
    }
    const bool is_first = time_.first_at.at.has_value();
    const auto& end = is_first ? found.first : found.last;
    const int64_t num_unknown = is_first ? found.num_without_first : found.num_without_last;
    if (num_unknown > 0) {
      // Permanent: started anew it would find the same files.
      learn_status_ = MakeError(
          ErrorKind::kConfig,
          fmt::format(
              "time.{}: {} files of records do not say in their statistics, for every row, what "
              "their {} time is; write time.shift, which says what to add",
              is_first ? "first_at" : "last_at", num_unknown, is_first ? "first" : "last"));
    } else if (end.has_value()) {
      const auto& place = is_first ? time_.first_at.at : time_.last_at.at;
      shift_nanos_ = found_shift_->Keep(place->Resolve(began_nanos_) - *end);
    }
  });
  return learn_status_;
}

int64_t Pacing::ShiftOf(std::optional<int64_t> latest) const {
  return time_.as_sent ? pacer_.ShiftToWall(latest) : shift_nanos_.load();
}

Result<otap::BatchPtr> Pacing::Shift(const otap::BatchPtr& batch, int64_t nanos) {
  ARROW_ASSIGN_OR_RAISE(otap::ShiftedTimes shifted, otap::ShiftTimes(batch, nanos));
  num_kept_ += shifted.num_kept;
  if (!time_.keep_original) {
    return std::move(shifted.batch);
  }
  const std::array owners = {otap::AttributeOwner::kSignal};
  const std::array actions = {otap::AttributeAction{.kind = otap::AttributeActionKind::kUpsert,
                                                    .key = kShiftAttribute,
                                                    .value = nanos,
                                                    .new_key = "",
                                                    .salt = ""}};
  return otap::EditAttributes(shifted.batch, owners, actions, nullptr);
}

void Pacing::Hold() {
  const std::lock_guard lock(hold_mutex_);
  pacer_.Hold();
  gate_.Close(clock_.WallNow());
}

void Pacing::LetGo() {
  const std::lock_guard lock(hold_mutex_);
  gate_.Open();
  pacer_.LetGo();
}

Status Pacing::Step(const engine::StepSize& size) {
  const std::lock_guard lock(hold_mutex_);
  if (!gate_.is_closed()) {
    return Status::Invalid("it is not paused, and goes on anyhow");
  }
  if (size.event_time > std::chrono::nanoseconds(0)) {
    if (!pacer_.RunFor(size.event_time)) {
      return Status::Invalid(
          "its records go out as fast as they are taken, not by their times (pace.speed): found a "
          "duration, expected a number of batches");
    }
    gate_.Let(std::max<int64_t>(num_passing_ - gate_.num_left(), 0));  // they were due before
    return Status::OK();
  }
  if (!goes_by_time()) {
    gate_.Let(size.num_batches);
    return Status::OK();
  }
  // What was due before the pause goes first; what is let through now is let through by the gate,
  // too, when it comes there.
  const int64_t num_ready =
      std::clamp<int64_t>(num_passing_ - gate_.num_left(), 0, size.num_batches);
  gate_.Let(num_ready);
  pacer_.Admit(size.num_batches - num_ready);
  return Status::OK();
}

bool Pacing::TryPass(Passing* passing) {
  const std::lock_guard lock(hold_mutex_);
  const bool may_pass = gate_.TryPass();
  if (may_pass) {
    *passing = Passing();
  }
  return may_pass;
}

Pacer::Wait Pacing::WaitUntilDue(const otap::Batch& batch, std::optional<int64_t>* latest,
                                 const Pacer::IsStopped& is_stopped) {
  const int64_t last = LastTimeWaitedFor(began_nanos_);
  int64_t due = 0;
  for (const int64_t time : lake::RootEventTimes(batch)) {
    due = std::max(due, time > last ? 0 : time);
    num_ignored_ += time > last ? 1 : 0;
  }
  if (due == 0) {
    return pacer_.WithoutTime();
  }
  *latest = due;
  return pacer_.WaitUntilDue(due, is_stopped);
}

Result<std::optional<Pacing::Passing>> Pacing::Admit(otap::BatchPtr* batch,
                                                     const Pacer::IsStopped& is_stopped) {
  std::optional<int64_t> latest;
  Pacer::Wait wait = Pacer::Wait::kDue;
  if (pacer_.goes_by_time()) {
    wait = WaitUntilDue(**batch, &latest, is_stopped);
    if (wait == Pacer::Wait::kStopped) {
      return std::nullopt;
    }
  }
  if (time_.is_given()) {
    ARROW_ASSIGN_OR_RAISE(*batch, Shift(*batch, ShiftOf(latest)));
  }
  if (!WaitForRate(**batch, is_stopped)) {
    return std::nullopt;
  }
  const std::lock_guard lock(hold_mutex_);
  Passing passing(this);
  if (wait == Pacer::Wait::kLetThrough) {
    gate_.Let(1);
  }
  return std::optional<Passing>(std::move(passing));
}

bool Pacing::WaitForRate(const otap::Batch& batch, const Pacer::IsStopped& is_stopped) {
  if (!pacer_.has_rate()) {
    return true;
  }
  int64_t num_bytes = 0;
  if (pacer_.counts_bytes()) {
    const auto request = otlp::EncodeRequest(batch);
    num_bytes = request.ok() ? static_cast<int64_t>(request->size()) : batch.size_bytes();
  }
  return pacer_.WaitForRate(batch.num_items(), num_bytes, is_stopped);
}

void Pacing::AddTo(engine::SourceAccount* account) const {
  if (num_kept_ > 0) {
    account->problems.push_back(
        {.kind = std::string(Name(ErrorKind::kReconstruction)),
         .message = "times would come to lie before 1970, or beyond 64 bits of nanoseconds: they "
                    "were not shifted and went out as they are",
         .count = num_kept_});
  }
  if (time_.needs_found_times() && found_shift_->Get().has_value()) {
    account->notices.push_back(
        {.kind = "pace",
         .message = fmt::format("every time was shifted by {}",
                                FormatDuration(std::chrono::nanoseconds(shift_nanos_.load()))),
         .count = 1});
  }
  if (!goes_by_time()) {
    return;
  }
  const auto whole = [](std::chrono::nanoseconds time) {
    return FormatDuration(std::chrono::floor<std::chrono::milliseconds>(time));
  };
  const Pacer::Figures figures = pacer_.figures();
  std::string pace =
      fmt::format("records went out at most {} behind their times", whole(figures.most_behind));
  if (figures.num_jumps > 0) {
    pace += fmt::format("; left out {} of {} waits in which nothing was due", whole(figures.jumped),
                        figures.num_jumps);
  }
  if (num_ignored_ > 0) {
    pace += fmt::format(
        "; {} records, whose times are more than a day after the replay began, went out with those "
        "beside them",
        num_ignored_.load());
  }
  account->notices.push_back({.kind = "pace", .message = std::move(pace), .count = 1});
}

}  // namespace df::nodes::receivers::parquet
