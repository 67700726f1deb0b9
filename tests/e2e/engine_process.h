// Runs the built program on a pipeline of the test's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace df::e2e {

/// A directory that goes with its test; anyone may write to it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// One run of df_engine. Owner: the destructor ends the process if it still runs.
class EngineProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;
    /// File permissions bind the program, also when the test runs as root.
    bool obeys_permissions = false;
    std::string program = DF_ENGINE_PATH;
    uint64_t max_open_files = 0;  ///< 0: as many as the test may open
  };

  /// What an ended process has taken.
  struct Usage {
    int64_t peak_memory_bytes = 0;  ///< as Wait has seen it, every 20 ms
    std::chrono::microseconds cpu_time{0};
    int64_t read_bytes = 0;  ///< from files of any kind, its own program among them
  };

  /// Starts the program in `folder`, where its output is kept too.
  EngineProcess(const std::filesystem::path& folder, const Options& options);
  ~EngineProcess();
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  /// Waits for the end and returns the exit code, 128 + signal when a signal ended it, -1 after the
  /// time is over.
  int Wait(std::chrono::seconds at_most = std::chrono::seconds(300));
  void Signal(int number);

  /// Looks at the output, whenever a file in `folder` or `folder`/out changes, until `is_there`
  /// says yes. Returns false when the process ends or the time is over before.
  bool WaitForOutput(const std::function<bool(const std::string&)>& is_there,
                     std::chrono::seconds at_most = std::chrono::seconds(60));

  pid_t pid() const { return child_; }  ///< -1 when it has ended
  const Usage& usage() const { return usage_; }

  std::string Output() const;  ///< of stdout
  std::string Log() const;     ///< of stderr

 private:
  /// Takes the exit code of an ended process. Returns whether it has ended.
  bool Reap();

  std::filesystem::path folder_;
  pid_t child_ = -1;
  int exit_code_ = -1;
  Usage usage_;
};

/// What a run of a command has come to.
struct Ran {
  int exit_code = -1;
  std::string output;
  std::string log;
};

/// Runs df_engine in `folder` and waits for its end.
Ran RunIn(const std::filesystem::path& folder, std::vector<std::string> arguments);

/// What a pipeline receiver -> exporter says in its document.
struct ReplaySettings {
  std::filesystem::path base;
  std::string signals = "[logs, traces, metrics]";
  std::string polling = "once";
  std::string more_receiver_config;  ///< lines, indented by six
  std::string processing = "";       ///< lines, indented by eight
  std::string exporter;              ///< urn and config lines, indented by four
};

/// Writes the document into `folder` and returns its path.
std::filesystem::path WritePipeline(const std::filesystem::path& folder,
                                    const ReplaySettings& settings);

/// The exporter that writes one file of OTLP requests per signal and core into `folder`/out.
std::string OtlpFileExporter(const std::filesystem::path& folder);

/// Returns the files that OtlpFileExporter wrote of a signal.
std::vector<std::string> OtlpFiles(const std::filesystem::path& folder, const std::string& signal);

}  // namespace df::e2e
