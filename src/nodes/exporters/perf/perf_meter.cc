#include "nodes/exporters/perf/perf_meter.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace df::nodes::exporters::perf {

void PerfRecorder::Add(const otap::Batch& batch, runtime::WallTime wall_now) {
  const std::lock_guard lock(mutex_);
  SignalSums& sums = signals_[static_cast<size_t>(batch.signal())];
  ++sums.batches;
  sums.items += batch.num_items();
  sums.size_bytes += batch.size_bytes();
  AddAges(batch,
          std::chrono::duration_cast<std::chrono::nanoseconds>(wall_now.time_since_epoch()).count(),
          &period_ages_);
}

void PerfRecorder::AddTo(Measurement* measurement, AgeCounts* period_ages) {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < kNumSignals; ++i) {
    measurement->signals[i] += signals_[i];
  }
  *period_ages += period_ages_;
  ages_ += period_ages_;
  period_ages_ = AgeCounts();
  measurement->ages += ages_;
}

Result<std::shared_ptr<PerfMeter>> PerfMeter::Make(const PerfConfig& config,
                                                   UsageReader read_usage) {
  if (config.output == "console") {
    return std::shared_ptr<PerfMeter>(
        new PerfMeter(config, std::move(read_usage), "standard output", STDOUT_FILENO));
  }
  const std::filesystem::path folder = std::filesystem::path(config.output).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error) {
    return MakeError(ErrorKind::kIo, fmt::format("cannot make the folder {}: {}", folder.string(),
                                                 error.message()));
  }
  const int descriptor =
      open(config.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return MakeError(ErrorKind::kIo,
                     fmt::format("cannot open {}: {}", config.output, std::strerror(errno)));
  }
  return std::shared_ptr<PerfMeter>(
      new PerfMeter(config, std::move(read_usage), config.output, descriptor));
}

PerfMeter::~PerfMeter() {
  if (descriptor_ != STDOUT_FILENO) {
    close(descriptor_);
  }
}

PerfRecorder* PerfMeter::Begin(runtime::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  ++num_running_;
  if (!reports_.has_value()) {
    start_ = now;
    next_report_ = now + config_.frequency;
    Measurement start;
    start.usage = read_usage_();
    reports_.emplace(config_.smoothing_factor, std::move(start));
  }
  return &recorders_.emplace_back();
}

Measurement PerfMeter::Measure(runtime::SteadyTime now, AgeCounts* period_ages) {
  Measurement measurement;
  measurement.elapsed = now - start_;
  for (PerfRecorder& recorder : recorders_) {
    recorder.AddTo(&measurement, period_ages);
  }
  measurement.usage = read_usage_();
  return measurement;
}

void PerfMeter::Tick(runtime::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (now < next_report_) {
    return;
  }
  next_report_ += config_.frequency;
  if (next_report_ <= now) {
    next_report_ = now + config_.frequency;
  }
  AgeCounts period_ages;
  const Measurement measurement = Measure(now, &period_ages);
  Print(reports_->Next(measurement, period_ages));
}

void PerfMeter::End(runtime::SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (--num_running_ > 0) {
    return;
  }
  AgeCounts period_ages;
  final_ = reports_->Final(Measure(now, &period_ages));
  Print(*final_);
}

void PerfMeter::Print(const PerfReport& report) {
  std::string block;
  if (config_.format == Format::kJson) {
    block = ToJson(report) + "\n";
  } else {
    for (const std::string& line : ToLines(report)) {
      block += line + "\n";
    }
  }
  for (std::string_view rest = block; !rest.empty();) {
    const ssize_t written = write(descriptor_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      ++num_not_printed_;
      if (first_error_.empty()) {
        first_error_ = fmt::format("cannot print to {}: {}", name_, std::strerror(errno));
      }
      return;
    }
  }
}

engine::NodeReport PerfMeter::Report() const {
  const std::lock_guard lock(mutex_);
  engine::NodeReport report;
  if (!final_.has_value()) {
    return report;
  }
  report.lines = ToLines(*final_);
  if (num_not_printed_ > 0) {
    report.lines.push_back(
        fmt::format("could not print {} reports; the first: {}", num_not_printed_, first_error_));
    report.num_problems = num_not_printed_;
  }
  return report;
}

}  // namespace df::nodes::exporters::perf
