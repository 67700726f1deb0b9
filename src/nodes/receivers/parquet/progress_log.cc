#include "nodes/receivers/parquet/progress_log.h"

#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"

namespace df::nodes::receivers::parquet {
namespace {

std::string WholeSeconds(std::chrono::nanoseconds duration) {
  return FormatDuration(std::chrono::floor<std::chrono::seconds>(duration));
}

}  // namespace

ProgressLog::ProgressLog(std::string subject, runtime::EventLoop* loop, Write write)
    : subject_(std::move(subject)),
      loop_(loop),
      write_(write != nullptr ? std::move(write)
                              : [](const std::string& line) { LogInfo("{}", line); }),
      told_at_(loop->clock().Now()),
      last_progress_(told_at_),
      timer_(loop, [this] { OnTimer(); }) {
  timer_.StartAt(told_at_ + kInterval);
}

void ProgressLog::Sent(int64_t num_items) {
  counts_.items += num_items;
  ++counts_.batches;
}

void ProgressLog::Answered(bool is_delivered) {
  ++(is_delivered ? counts_.delivered : counts_.refused);
}

void ProgressLog::OnTimer() {
  const runtime::SteadyTime now = loop_->clock().Now();
  if (counts_ != told_) {
    WriteProgress(now);
  } else if (now - told_at_ >= kIdleInterval) {
    WriteIdle(now);
  }
  timer_.StartAt(now + kInterval);
}

void ProgressLog::WriteProgress(runtime::SteadyTime now) {
  const double seconds = std::chrono::duration<double>(now - last_progress_).count();
  const auto rate =
      static_cast<int64_t>(static_cast<double>(counts_.items - told_.items) / seconds);
  std::string line = fmt::format("{}: sent {} items in {} batches, {} items/s; {} delivered",
                                 subject_, counts_.items, counts_.batches, rate, counts_.delivered);
  if (counts_.refused > 0) {
    line += fmt::format(", {} refused", counts_.refused);
  }
  write_(line + fmt::format(", {} in flight", counts_.in_flight()));
  told_ = counts_;
  told_at_ = now;
  last_progress_ = now;
}

void ProgressLog::WriteIdle(runtime::SteadyTime now) {
  const std::string since = WholeSeconds(now - last_progress_);
  if (counts_.in_flight() > 0) {
    write_(fmt::format("{}: {} batches in flight, no outcome for {}", subject_, counts_.in_flight(),
                       since));
  } else if (counts_.batches == 0) {
    write_(fmt::format("{}: waiting for files, nothing was found to send for {}", subject_, since));
  } else {
    write_(
        fmt::format("{}: waiting for new files, nothing to send for {}; {} items in {} batches "
                    "so far",
                    subject_, since, counts_.items, counts_.batches));
  }
  told_at_ = now;
}

}  // namespace df::nodes::receivers::parquet
