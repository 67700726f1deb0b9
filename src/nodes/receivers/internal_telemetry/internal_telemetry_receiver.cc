#include "nodes/receivers/internal_telemetry/internal_telemetry_receiver.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "nodes/receivers/internal_telemetry/log_batch.h"
#include "nodes/receivers/internal_telemetry/metric_batches.h"
#include "telemetry/names.h"

namespace df::nodes::receivers::internal_telemetry {
namespace {

/// Few enough that the loop is not held long.
constexpr int64_t kMaxMetricRows = 1024;

}  // namespace

std::vector<LogRecord> InternalTelemetryReceiver::TakeRecords(telemetry::MetricSet* own) {
  const uint64_t before = position_->last_sequence;
  std::vector<LogRecord> records = log_->Kept(before, static_cast<size_t>(config_.max_log_records));
  if (records.empty()) {
    return records;
  }
  const auto num_lost = static_cast<int64_t>(records.front().sequence - before - 1);
  if (num_lost > 0) {
    num_lost_records_ += num_lost;
    own->AddCounter(telemetry::names::kNodeItemsDropped,
                    {{std::string(telemetry::names::kReason), "not_kept"}})
        .Add(num_lost);
  }
  position_->last_sequence = records.back().sequence;
  std::erase_if(records,
                [this](const LogRecord& record) { return record.level < config_.min_log_level; });
  return records;
}

runtime::Task<Status> InternalTelemetryReceiver::Run(engine::Effects& effects) {
  if (effects.info().instance_index != 0) {
    while (co_await effects.SleepFor(config_.reporting_interval)) {
    }
    co_return Status::OK();
  }
  runtime::SteadyTime next = effects.clock().Now();
  for (bool is_last = false; !is_last;) {
    // A report that took longer than the interval leaves out those that are late.
    next = std::max(next + config_.reporting_interval, effects.clock().Now());
    is_last = !co_await effects.loop().SleepUntil(next, &effects.drain());
    bool has_room = true;
    if (config_.Sends(otap::Signal::kMetrics)) {
      MetricBatches batches(effects.metrics().registry().Snapshot(), config_.resource,
                            kMaxMetricRows);
      while (has_room) {
        co_await effects.loop().SleepFor({}, nullptr);  // others have a turn before each
        Result<otap::BatchPtr> batch = batches.Next();
        if (!batch.ok()) {
          co_return batch.status();
        }
        if (*batch == nullptr) {
          break;
        }
        num_points_ += (*batch)->num_items();
        engine::Pdata pdata(std::move(*batch), effects.MakeToken(this, 0));
        has_room = co_await effects.Send(std::move(pdata));
      }
    }
    if (has_room && config_.Sends(otap::Signal::kLogs)) {
      const std::vector<LogRecord> records = TakeRecords(&effects.metrics());
      if (!records.empty()) {
        Result<otap::BatchPtr> batch = MakeLogBatch(records, config_.resource);
        if (!batch.ok()) {
          co_return batch.status();
        }
        num_records_ += (*batch)->num_items();
        engine::Pdata pdata(std::move(*batch), effects.MakeToken(this, 0));
        co_await effects.Send(std::move(pdata));
      }
    }
  }
  co_return Status::OK();
}

void InternalTelemetryReceiver::OnOutcome(const engine::Outcome& outcome, uint64_t) {
  if (outcome.is_ack) {
    return;
  }
  if (++num_refused_ == 1) {
    first_reason_ = outcome.reason;
  }
}

engine::NodeReport InternalTelemetryReceiver::Report() {
  engine::NodeReport report;
  report.lines.push_back(
      fmt::format("sent {} data points and {} log records", num_points_, num_records_));
  if (num_lost_records_ > 0) {
    report.lines.push_back(
        fmt::format("{} log records were not kept long enough to be sent", num_lost_records_));
    report.num_problems += num_lost_records_;
  }
  if (num_refused_ > 0) {
    report.lines.push_back(
        fmt::format("{} batches were refused; the first: {}", num_refused_, first_reason_));
    report.num_problems += num_refused_;
  }
  return report;
}

}  // namespace df::nodes::receivers::internal_telemetry
