// What the perf exporter says, as numbers and as text.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nodes/exporters/perf/age_histogram.h"
#include "nodes/exporters/perf/process_usage.h"
#include "otap/schema.h"

namespace df::nodes::exporters::perf {

/// What came of one signal.
struct SignalSums {
  int64_t batches = 0;
  int64_t items = 0;
  int64_t size_bytes = 0;  ///< in memory

  SignalSums& operator+=(const SignalSums& other);
};
inline constexpr size_t kNumSignals = otap::kAllSignals.size();

/// Everything at one moment, since the start.
struct Measurement {
  std::chrono::nanoseconds elapsed{0};
  std::array<SignalSums, kNumSignals> signals;
  AgeCounts ages;
  ProcessUsage usage;
};

/// By second.
struct Rates {
  double batches = 0;
  double items = 0;
  double size_bytes = 0;
};

struct UsageRates {
  std::optional<double> cpu_percent;  ///< of one core
  std::optional<double> switches;     ///< context switches by second
  std::optional<ProcessUsage::Memory> memory;
  struct Traffic {
    double in_bytes = 0;  ///< by second
    double out_bytes = 0;
  };
  std::optional<Traffic> disk;
  std::optional<Traffic> network;
};

/// One report: of a period, or at the end of the whole run.
struct PerfReport {
  bool is_final = false;
  std::chrono::nanoseconds elapsed{0};  ///< since the start
  std::chrono::nanoseconds period{0};   ///< that the rates and ages are of
  std::array<SignalSums, kNumSignals> sums;
  std::array<Rates, kNumSignals> rates;  ///< smoothed, at the end: over all
  AgeCounts ages;
  UsageRates usage;
};

/// Makes reports of measurements that follow each other.
class ReportMaker {
 public:
  /// `smoothing_factor` is the weight of the latest period, of (0, 1].
  ReportMaker(double smoothing_factor, Measurement start)
      : smoothing_factor_(smoothing_factor), start_(start), last_(std::move(start)) {}

  /// Of the time since the last one. `ages` are of this period only.
  PerfReport Next(const Measurement& now, const AgeCounts& ages);

  /// Of the whole time.
  PerfReport Final(const Measurement& now) const;

 private:
  double smoothing_factor_;
  Measurement start_;
  Measurement last_;
  std::array<Rates, kNumSignals> smoothed_;
  bool has_rates_ = false;
};

/// Lines without their ends; the first says what the report is of.
std::vector<std::string> ToLines(const PerfReport& report);

/// One JSON object without an end of line. Times are seconds, sizes bytes.
std::string ToJson(const PerfReport& report);

}  // namespace df::nodes::exporters::perf
