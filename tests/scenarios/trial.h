// One run of a scenario: what it may use, and what it finds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "e2e/engine_process.h"
#include "e2e/http_server.h"
#include "otap/batch.h"
#include "otlp/compare/item_counts.h"
#include "testing/random_batch.h"

namespace df::scenarios {

struct Settings {
  std::string engine;     ///< the program under trial
  std::string sanitized;  ///< the same one built with sanitizers, for damaged files
  double factor = 0.1;    ///< of the sizes that the scenarios name
  uint64_t seed = 1;
};

/// Owner: the folder goes with it.
class Trial {
 public:
  explicit Trial(const Settings& settings) : settings_(settings), random_(settings.seed) {}

  const Settings& settings() const { return settings_; }
  testing::RandomEngine& random() { return random_; }

  /// Returns a size by the factor, and at least `least`.
  int64_t Scaled(int64_t size, int64_t least = 1) const;

  /// Returns a new, empty folder.
  std::filesystem::path Folder(const std::string& name);

  /// Keeps what does not hold. Returns whether it holds.
  bool Expect(bool holds, const std::string& otherwise);
  /// Keeps a number that the row shows.
  void Figure(std::string figure) { figures_.push_back(std::move(figure)); }
  /// Keeps what was not tried, and why.
  void NotTried(std::string what) { not_tried_.push_back(std::move(what)); }

  const std::vector<std::string>& faults() const { return faults_; }
  const std::vector<std::string>& figures() const { return figures_; }
  const std::vector<std::string>& not_tried() const { return not_tried_; }

 private:
  Settings settings_;
  testing::RandomEngine random_;
  e2e::TemporaryFolder folder_;
  int num_folders_ = 0;
  std::vector<std::string> faults_;
  std::vector<std::string> figures_;
  std::vector<std::string> not_tried_;
};

/// What a replay through a document is asked for.
struct ReplayWishes {
  std::filesystem::path base;
  std::string signals = "[logs, traces, metrics]";
  int batch_size = 8192;
  int num_cores = 1;
  std::string more_receiver_config;  ///< lines, indented by six
  std::string program;               ///< default: that of the settings
  uint64_t max_open_files = 0;
};

struct Replayed {
  int exit_code = -1;
  std::string output;
  std::string log;
  e2e::EngineProcess::Usage usage;
  double seconds = 0;
  std::filesystem::path folder;
};

/// Replays a tree once into files.
Replayed Replay(Trial& trial, const ReplayWishes& wishes);

/// Runs the program with these arguments in a new folder.
Replayed Run(Trial& trial, std::vector<std::string> arguments);

/// Counts the items of batches, and of files of a replay, by what they say.
otlp::Comparison Compare(otap::Signal signal, const std::vector<otap::BatchPtr>& sent,
                         const std::vector<std::string>& files);

/// Expects that a replay ended well, and that its files hold each item of the batches once.
/// Returns how many those are.
int64_t ExpectSame(Trial& trial, const std::string& what, const std::vector<otap::BatchPtr>& sent,
                   const Replayed& replayed);

/// Returns the problems of a run, a line each.
std::vector<std::string> ProblemLines(const Replayed& replayed);

/// An OTLP server over HTTP that keeps, of every item, how often it came.
class CountingServer {
 public:
  /// What becomes of a request.
  enum class Fate : uint8_t { kTaken, kUnavailable, kCutOff };

  /// `fate` is asked before each request, on threads of the server; may block.
  explicit CountingServer(std::function<Fate()> fate = [] { return Fate::kTaken; });

  std::string uri() const;
  int64_t num_items() const;
  /// Counts what came against the items of batches.
  otlp::Comparison CompareWith(otap::Signal signal, const std::vector<otap::BatchPtr>& sent);
  /// Returns how long each log record took from the time that it says it was sent at.
  std::vector<double> LagSeconds() const;
  /// Waits until so many items came. Returns whether they did.
  bool WaitForItems(int64_t count, std::chrono::seconds at_most);
  /// The same for requests, whatever became of them.
  bool WaitForRequests(int64_t count, std::chrono::seconds at_most);

 private:
  std::string Answer(std::string_view head, std::string_view body);

  std::function<Fate()> fate_;
  mutable std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::pair<otap::Signal, std::string>> requests_;
  std::vector<std::pair<int64_t, int64_t>> times_;  ///< when sent and when it came, unix nanos
  int64_t num_items_ = 0;
  int64_t num_asked_ = 0;
  e2e::HttpServer server_;
};

/// The exporter that sends to a CountingServer, as a document of ReplaySettings needs it.
std::string HttpExporter(const std::string& uri);

/// A document of one pipeline per entry, each "nodes: {..}, connections: [..]" on one core.
std::filesystem::path WriteDocument(const std::filesystem::path& folder,
                                    const std::vector<std::string>& pipelines);

/// Waits until the log of a process names the port behind `before`, and returns it; 0: it does not.
uint16_t PortOf(e2e::EngineProcess* process, const std::string& before);

/// Returns batches of log records whose bodies count from `first`, spread over `num_services`
/// resources, at times from `start` on, `step` apart.
std::vector<otap::BatchPtr> CountedLogs(int64_t first, int64_t count, int64_t per_batch,
                                        int64_t start_nanos, int num_services = 3,
                                        int64_t step_nanos = 1'000'000);

/// Returns the CPU time that a running process has taken so far.
std::chrono::microseconds CpuTimeOf(pid_t process);
/// Returns the memory that a running process has in use now, in bytes.
int64_t MemoryOf(pid_t process);

}  // namespace df::scenarios
