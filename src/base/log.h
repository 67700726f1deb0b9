// The log: levels, a limit for each place that writes, and a memory of the last records.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace spdlog::sinks {
class sink;
}

namespace df {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
inline constexpr size_t kNumLogLevels = 4;

/// Returns "debug", "info", "warning" or "error".
std::string_view Name(LogLevel level);

/// Finds a level by its name, or nothing.
std::optional<LogLevel> FindLogLevel(std::string_view name);

/// A key and what it has been found to be.
struct LogField {
  using Value = std::variant<std::string, int64_t, double, bool>;

  LogField(std::string field_key, std::string_view text)
      : key(std::move(field_key)), value(std::string(text)) {}
  LogField(std::string field_key, const char* text)
      : LogField(std::move(field_key), std::string_view(text)) {}
  LogField(std::string field_key, const std::string& text)
      : LogField(std::move(field_key), std::string_view(text)) {}
  LogField(std::string field_key, bool truth) : key(std::move(field_key)), value(truth) {}
  LogField(std::string field_key, double number) : key(std::move(field_key)), value(number) {}
  template <std::integral T>
  LogField(std::string field_key, T number)
      : key(std::move(field_key)), value(static_cast<int64_t>(number)) {}

  bool operator==(const LogField&) const = default;

  std::string key;
  Value value;
};

struct LogRecord {
  uint64_t sequence = 0;  ///< 1 for the first record of the log, without gaps
  int64_t unix_nanos = 0;
  LogLevel level = LogLevel::kInfo;
  std::string event;  ///< a constant name with dots, "df.pipeline.started"; may be empty
  std::string message;
  std::vector<LogField> fields;
};

/// Returns "message key=value key=\"two words\"".
std::string ToText(const LogRecord& record);
/// Returns an object on one line: time, level, event, message, attributes.
std::string ToJson(const LogRecord& record);

/// Writes records, one line each. Calls: from any thread; they do not overlap.
class Log {
 public:
  enum class Format : uint8_t { kText, kJson };

  struct Options {
    /// A place may write this many records in an interval. What is more is counted, and one record
    /// tells how many were left out when the interval is over.
    int64_t site_burst = 50;
    std::chrono::nanoseconds site_interval = std::chrono::seconds(10);
    size_t max_kept_records = 2048;
    size_t max_kept_bytes = size_t{4} << 20;
  };

  /// How many records there were, by level.
  struct Counts {
    std::array<int64_t, kNumLogLevels> written{};
    std::array<int64_t, kNumLogLevels> suppressed{};
  };

  /// `unix_nanos` tells the time.
  Log(std::shared_ptr<spdlog::sinks::sink> sink, std::function<int64_t()> unix_nanos,
      Options options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// The lowest level that is written; kInfo at first.
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  bool IsWritten(LogLevel level) const { return level >= this->level(); }

  void SetFormat(Format format);

  /// Tells whether a place may write now; counts what it may not.
  bool Admit(LogLevel level, const std::source_location& site);

  /// Writes a record that was admitted; sequence and time are filled in.
  void Write(LogRecord record);

  /// Returns up to `max_records` of the records still kept whose sequence is above `after`, oldest
  /// first.
  std::vector<LogRecord> Kept(uint64_t after, size_t max_records) const;
  /// The sequence of the newest record; 0 when there is none.
  uint64_t last_sequence() const;

  Counts counts() const;

  /// Tells now what has been left out. The destructor does so too.
  void Flush();

 private:
  struct Site {
    LogLevel level = LogLevel::kInfo;
    int64_t interval_start = 0;
    int64_t num_written = 0;
    int64_t num_suppressed = 0;
  };
  using SiteKey = std::pair<const char*, uint32_t>;  // file and line

  class Writer;  // hides the logging library

  // Tells of the places whose interval is over, or of all; with the mutex held.
  void TellSuppressed(int64_t now, bool is_end);
  void WriteLocked(LogRecord record);

  const Options options_;
  const std::function<int64_t()> unix_nanos_;
  std::atomic<LogLevel> level_{LogLevel::kInfo};
  mutable std::mutex mutex_;
  std::unique_ptr<Writer> writer_;
  std::map<SiteKey, Site> sites_;
  int64_t num_suppressing_ = 0;  // places that have something to tell
  std::deque<LogRecord> kept_;
  size_t kept_bytes_ = 0;
  uint64_t last_sequence_ = 0;
  Counts counts_;
};

/// The log of the process, on standard error.
Log& ProcessLog();

}  // namespace df
