// What the perf exporters of all cores measure together, and where they report it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/node.h"
#include "nodes/exporters/perf/config.h"
#include "nodes/exporters/perf/perf_report.h"
#include "runtime/clock.h"

namespace df::nodes::exporters::perf {

/// What came to the exporter of one core. Synchronises itself; only reports are in its way.
class PerfRecorder {
 public:
  /// Adds a batch; `wall_now` is what the ages of its records count to.
  void Add(const otap::Batch& batch, runtime::WallTime wall_now);

  /// Adds everything so far, and takes the ages since the last time.
  void AddTo(Measurement* measurement, AgeCounts* period_ages);

 private:
  std::mutex mutex_;
  std::array<SignalSums, kNumSignals> signals_;
  AgeCounts ages_;         // until the last report
  AgeCounts period_ages_;  // since then
};

/// Makes one report for the exporters of all cores. Synchronises itself.
class PerfMeter final : public engine::NodeShared {
 public:
  using UsageReader = std::function<ProcessUsage()>;

  /// Opens the output. Errors: kind io naming the path.
  static Result<std::shared_ptr<PerfMeter>> Make(const PerfConfig& config, UsageReader read_usage);
  ~PerfMeter() override;
  PerfMeter(const PerfMeter&) = delete;
  PerfMeter& operator=(const PerfMeter&) = delete;

  /// A core begins. Owner: the meter; the recorder lives as long as the meter.
  PerfRecorder* Begin(runtime::SteadyTime now);

  /// Prints a report when one is due; called by every core.
  void Tick(runtime::SteadyTime now);

  /// A core has ended. The last one prints the final report.
  void End(runtime::SteadyTime now);

  /// The final report and what could not be printed; empty before the last core has ended.
  engine::NodeReport Report() const;

 private:
  PerfMeter(PerfConfig config, UsageReader read_usage, std::string name, int descriptor)
      : config_(std::move(config)),
        read_usage_(std::move(read_usage)),
        name_(std::move(name)),
        descriptor_(descriptor) {}

  Measurement Measure(runtime::SteadyTime now, AgeCounts* period_ages);
  void Print(const PerfReport& report);

  const PerfConfig config_;
  const UsageReader read_usage_;
  const std::string name_;
  const int descriptor_;
  mutable std::mutex mutex_;
  std::list<PerfRecorder> recorders_;
  int num_running_ = 0;
  runtime::SteadyTime start_;
  runtime::SteadyTime next_report_;
  std::optional<ReportMaker> reports_;
  std::optional<PerfReport> final_;
  int64_t num_not_printed_ = 0;
  std::string first_error_;
};

}  // namespace df::nodes::exporters::perf
