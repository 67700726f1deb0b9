// How a run goes, told while it goes: a line that changes on a terminal, lines from time to time
// elsewhere.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "telemetry/metric_set.h"

namespace df::app {

/// What a run has done by a moment.
struct ProgressSample {
  std::chrono::steady_clock::time_point time;
  bool has_outcomes = false;    ///< the sources tell of records whether they were delivered
  int64_t num_done = 0;         ///< records delivered, or items sent where there are no outcomes
  int64_t num_refused = 0;      ///< records
  std::optional<double> share;  ///< of what is to be read, 0 to 1; nothing: not known
};

/// Sums up what all sources of a process say.
ProgressSample TakeSample(const telemetry::MetricSnapshot& metrics,
                          std::chrono::steady_clock::time_point now);

/// Samples of the last seconds, and the first one. Calls: from one thread.
class ProgressHistory {
 public:
  /// A rate is that of so long.
  static constexpr std::chrono::seconds kRateWindow{5};

  /// `has_end`: the run ends by itself, so that it makes sense to say when.
  explicit ProgressHistory(bool has_end) : has_end_(has_end) {}

  void Add(const ProgressSample& sample);

  /// Writes the newest sample into at most `width` columns; 0: as many as it takes, and no bar.
  /// Not before a sample was added.
  std::string Text(size_t width) const;

 private:
  int64_t Rate() const;
  std::optional<std::chrono::seconds> TimeLeft() const;

  bool has_end_;
  std::optional<ProgressSample> first_;
  std::deque<ProgressSample> recent_;
};

/// Tells on standard error how a run goes, from a thread of its own.
class RunProgress {
 public:
  struct Options {
    std::string name;     ///< begins each line where there is no terminal
    bool has_end = true;  ///< as of ProgressHistory
    bool draws = false;   ///< standard error is a terminal that takes one
    std::chrono::milliseconds draw_interval{250};
    std::chrono::milliseconds line_interval{10'000};
  };

  /// Owner: the registry is borrowed.
  RunProgress(telemetry::Registry* registry, Options options);
  /// Takes the line away.
  ~RunProgress();

 private:
  void Run();
  void Tell();

  telemetry::Registry* registry_;
  const Options options_;
  ProgressHistory history_;
  int64_t num_told_ = 0;  ///< outcomes when a line was written last
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread thread_;
};

/// Tells whether a line can be drawn on standard error: it is a terminal, and not a dumb one. Data
/// on the same terminal would run into it.
bool CanDrawProgress(bool has_data_on_stdout);

}  // namespace df::app
