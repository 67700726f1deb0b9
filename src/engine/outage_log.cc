#include "engine/outage_log.h"

#include <utility>

#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"

namespace df::engine {
namespace {

/// A cause is one line of bounded length.
constexpr size_t kMaxCause = 1000;

/// "42s", "3m20s", "250ms": what matters of it.
std::string Rounded(std::chrono::nanoseconds duration) {
  using std::chrono::floor;
  return FormatDuration(duration < std::chrono::seconds(1)
                            ? std::chrono::nanoseconds(floor<std::chrono::milliseconds>(duration))
                            : std::chrono::nanoseconds(floor<std::chrono::seconds>(duration)));
}

}  // namespace

OutageLog::OutageLog(Words words, const runtime::Clock* clock, Write write)
    : words_(std::move(words)),
      clock_(*clock),
      write_(write != nullptr ? std::move(write) : [](LogLevel level, const std::string& line) {
        LogMessage(level, "{}", line);
      }) {}

std::optional<runtime::SteadyTime> OutageLog::next_line() const {
  if (!is_failing()) {
    return std::nullopt;
  }
  return last_line_.has_value() ? *last_line_ + kInterval : *failing_since_;
}

void OutageLog::Failed(std::string_view cause) {
  const runtime::SteadyTime now = clock_.Now();
  if (!is_failing()) {
    failing_since_ = now;
    num_failures_ = 0;
    is_told_ = false;
  }
  ++num_failures_;
  cause_.assign(cause.substr(0, kMaxCause));
  OnTime();
}

void OutageLog::OnTime() {
  const runtime::SteadyTime now = clock_.Now();
  if (const auto due = next_line(); due.has_value() && *due <= now) {
    WriteFailing(now);
  }
}

void OutageLog::WriteFailing(runtime::SteadyTime now) {
  std::string line = fmt::format("{}: {}", words_.subject, words_.failing);
  if (now - *failing_since_ >= std::chrono::seconds(1)) {
    line += fmt::format(" for {}, {} {}", Rounded(now - *failing_since_), num_failures_,
                        words_.failures);
  }
  if (num_untold_ > 0) {
    line += fmt::format(", after {} shorter outages", std::exchange(num_untold_, 0));
  }
  is_told_ = true;
  last_line_ = now;
  write_(LogLevel::kWarning, line + ": " + PrintableText(cause_));
}

void OutageLog::Succeeded() {
  if (!is_failing()) {
    return;
  }
  if (is_told_) {
    write_(LogLevel::kInfo,
           fmt::format("{}: {} after {}, {} {}", words_.subject, words_.working,
                       Rounded(clock_.Now() - *failing_since_), num_failures_, words_.failures));
  } else {
    ++num_untold_;
  }
  failing_since_.reset();
}

}  // namespace df::engine
