#include "app/run_progress.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/commands/archive_flags.h"
#include "app/standard_output.h"
#include "base/terminal_line.h"
#include "telemetry/names.h"

namespace df::app {
namespace {

namespace names = telemetry::names;

constexpr size_t kLeastBar = 10;
constexpr size_t kMostBar = 40;
/// Before that the rate of a run says little of its end.
constexpr std::chrono::seconds kLeastElapsed{1};
constexpr double kLeastShare = 0.01;

int64_t ItemsOfReceivers(const telemetry::MetricSnapshot& metrics) {
  const telemetry::MetricFamily* family = metrics.Find(names::kNodeItemsOut.name);
  int64_t sum = 0;
  for (const telemetry::MetricPoint& point :
       family == nullptr ? std::vector<telemetry::MetricPoint>() : family->points) {
    const std::string* type = point.set->attributes.Find(names::kNodeType);
    sum += type != nullptr && type->find("receiver:") != std::string::npos ? point.value : 0;
  }
  return sum;
}

/// What is read is known by bytes until a file is opened, and by rows from then on.
std::optional<double> ShareOf(const telemetry::MetricSnapshot& metrics) {
  const int64_t found = metrics.Sum(names::kReceiverSizeFound.name);
  const int64_t listed = metrics.Sum(names::kReceiverRowsListed.name);
  if (found == 0 || listed == 0) {
    return std::nullopt;
  }
  const int64_t done = metrics.Sum(names::kReceiverRowsAcked.name) +
                       metrics.Sum(names::kReceiverRowsRefused.name) +
                       metrics.Sum(names::kReceiverRowsDropped.name);
  const int64_t begun = found - metrics.Sum(names::kReceiverSizeWaiting.name);
  const double share = static_cast<double>(begun) / static_cast<double>(found) *
                       static_cast<double>(done) / static_cast<double>(listed);
  return std::clamp(share, 0.0, 1.0);
}

std::string ShowTimeLeft(std::chrono::seconds left) {
  const int64_t seconds = left.count();
  return seconds < 60     ? fmt::format("{} s left", seconds)
         : seconds < 3600 ? fmt::format("{} min {:02} s left", seconds / 60, seconds % 60)
                          : fmt::format("{} h {:02} min left", seconds / 3600, seconds / 60 % 60);
}

std::string Bar(double share, size_t width) {
  const auto num_full = static_cast<size_t>(share * static_cast<double>(width));
  return "[" + std::string(num_full, '#') + std::string(width - num_full, '.') + "]";
}

size_t TerminalWidth() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

ProgressSample TakeSample(const telemetry::MetricSnapshot& metrics,
                          std::chrono::steady_clock::time_point now) {
  ProgressSample sample{.time = now};
  sample.has_outcomes = metrics.Find(names::kReceiverRowsAcked.name) != nullptr;
  sample.num_done =
      sample.has_outcomes ? metrics.Sum(names::kReceiverRowsAcked.name) : ItemsOfReceivers(metrics);
  sample.num_refused = metrics.Sum(names::kReceiverRowsRefused.name);
  sample.share = ShareOf(metrics);
  return sample;
}

void ProgressHistory::Add(const ProgressSample& sample) {
  if (!first_.has_value()) {
    first_ = sample;
  }
  recent_.push_back(sample);
  // One at least as old as the window stays: the rate is that since then.
  while (recent_.size() > 2 && sample.time - recent_[1].time >= kRateWindow) {
    recent_.pop_front();
  }
}

int64_t ProgressHistory::Rate() const {
  const ProgressSample& old = recent_.front();
  const ProgressSample& now = recent_.back();
  const double seconds = std::chrono::duration<double>(now.time - old.time).count();
  return seconds <= 0
             ? 0
             : static_cast<int64_t>(static_cast<double>(now.num_done - old.num_done) / seconds);
}

std::optional<std::chrono::seconds> ProgressHistory::TimeLeft() const {
  const ProgressSample& now = recent_.back();
  const auto elapsed = now.time - first_->time;
  if (!has_end_ || !now.share.has_value() || elapsed < kLeastElapsed) {
    return std::nullopt;
  }
  const double gained = *now.share - first_->share.value_or(0);
  if (gained < kLeastShare) {
    return std::nullopt;
  }
  const double left = std::chrono::duration<double>(elapsed).count() * (1 - *now.share) / gained;
  return std::chrono::seconds(static_cast<int64_t>(left + 0.5));
}

std::string ProgressHistory::Text(size_t width) const {
  const ProgressSample& now = recent_.back();
  const bool has_share = has_end_ && now.share.has_value();
  const std::string percent =
      has_share ? fmt::format("{:3.0f} %  ", std::floor(*now.share * 100)) : "";
  // From the most wanted to the least: what does not fit goes.
  std::vector<std::string> parts = {fmt::format(
      "{} {}", ShowCount(now.num_done), now.has_outcomes ? "records delivered" : "items sent")};
  if (now.num_refused > 0) {
    parts.push_back(fmt::format("{} refused", ShowCount(now.num_refused)));
  }
  parts.push_back(fmt::format("{}/s", ShowCount(Rate())));
  if (const auto left = TimeLeft(); left.has_value()) {
    parts.push_back(ShowTimeLeft(*left));
  }
  std::string text = percent;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string part = (i == 0 ? "" : ", ") + parts[i];
    if (i > 0 && width > 0 && text.size() + part.size() > width) {
      break;
    }
    text += part;
  }
  if (width == 0) {
    return has_share ? text.substr(text.find_first_not_of(' ')) : text;
  }
  if (has_share && text.size() + kLeastBar + 4 <= width) {
    text.insert(percent.size(),
                Bar(*now.share, std::min(width - text.size() - 4, kMostBar)) + "  ");
  }
  return text.substr(0, width);
}

RunProgress::RunProgress(telemetry::Registry* registry, Options options)
    : registry_(registry),
      options_(std::move(options)),
      history_(options_.has_end),
      thread_([this] { Run(); }) {}

RunProgress::~RunProgress() {
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  ended_.notify_all();
  thread_.join();
  if (options_.draws) {
    StandardErrorLine().Clear();
  }
}

void RunProgress::Run() {
  // The first line comes an interval after the begin: a short run has none.
  history_.Add(TakeSample(registry_->Snapshot(), std::chrono::steady_clock::now()));
  const auto interval = options_.draws ? options_.draw_interval : options_.line_interval;
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, interval, [this] { return has_ended_; })) {
    Tell();
  }
}

void RunProgress::Tell() {
  const ProgressSample sample = TakeSample(registry_->Snapshot(), std::chrono::steady_clock::now());
  history_.Add(sample);
  if (options_.draws) {
    StandardErrorLine().Show(history_.Text(std::max<size_t>(TerminalWidth(), 2) - 1));
    return;
  }
  // What goes on for a year and has nothing to do says nothing.
  const int64_t num_outcomes = sample.num_done + sample.num_refused;
  if (std::exchange(num_told_, num_outcomes) == num_outcomes && !options_.has_end) {
    return;
  }
  // When that cannot be written, the exit code has to do.
  const Status ignored = PrintTo(stderr, fmt::format("{}: {}\n", options_.name, history_.Text(0)));
}

bool CanDrawProgress(bool has_data_on_stdout) {
  const char* terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && terminal != nullptr &&
         std::string_view(terminal) != "dumb" &&
         !(has_data_on_stdout && isatty(STDOUT_FILENO) == 1);
}

}  // namespace df::app
