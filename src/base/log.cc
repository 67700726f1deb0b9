#include "base/log.h"

#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "base/terminal_line.h"

namespace df {
namespace {

constexpr std::array<std::string_view, kNumLogLevels> kLevelNames = {"debug", "info", "warning",
                                                                     "error"};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::chrono::system_clock::time_point ToTime(int64_t unix_nanos) {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(unix_nanos)));
}

size_t SizeOf(const LogRecord& record) {
  size_t size = sizeof(LogRecord) + record.event.size() + record.message.size();
  for (const LogField& field : record.fields) {
    size += sizeof(LogField) + field.key.size();
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      size += text->size();
    }
  }
  return size;
}

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A text stands bare when nobody can mistake where it ends.
std::string Show(const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const bool is_bare = !text->empty() && text->find_first_of(" \"=\n\t\r\\") == std::string::npos;
    return is_bare ? *text : Dump(Json(*text));
  }
  return std::visit([](const auto& any) { return Dump(Json(any)); }, value);
}

/// Standard error, above the line that shows how a run goes.
class AboveLineSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& record) override {
    StandardErrorLine().Above([&] { inner_.log(record); });
  }
  void flush() override { inner_.flush(); }
  void set_pattern(const std::string& pattern) override { inner_.set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    inner_.set_formatter(std::move(formatter));
  }

 private:
  spdlog::sinks::stderr_color_sink_mt inner_;
};

int64_t SystemUnixNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string_view Name(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

std::optional<LogLevel> FindLogLevel(std::string_view name) {
  for (size_t i = 0; i < kNumLogLevels; ++i) {
    if (kLevelNames[i] == name) {
      return static_cast<LogLevel>(i);
    }
  }
  return std::nullopt;
}

std::string ToText(const LogRecord& record) {
  std::string text = record.message.empty() ? record.event : record.message;
  for (const LogField& field : record.fields) {
    text += fmt::format(" {}={}", field.key, Show(field.value));
  }
  return text;
}

std::string ToJson(const LogRecord& record) {
  Json json;
  json["time"] =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z",
                  fmt::gmtime(static_cast<std::time_t>(record.unix_nanos / 1'000'000'000)),
                  record.unix_nanos % 1'000'000'000);
  json["level"] = Name(record.level);
  if (!record.event.empty()) {
    json["event"] = record.event;
  }
  json["message"] = record.message;
  for (const LogField& field : record.fields) {
    std::visit([&](const auto& value) { json["attributes"][field.key] = value; }, field.value);
  }
  return Dump(json);
}

class Log::Writer {
 public:
  explicit Writer(std::shared_ptr<spdlog::sinks::sink> sink)
      : logger_("df_engine", std::move(sink)) {
    logger_.set_level(spdlog::level::trace);
    SetFormat(Format::kText);
  }

  void SetFormat(Format format) {
    is_json_ = format == Format::kJson;
    logger_.set_pattern(is_json_ ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v",
                        spdlog::pattern_time_type::utc);
  }

  void Write(const LogRecord& record) {
    const std::string text = is_json_ ? ToJson(record) : ToText(record);
    logger_.log(ToTime(record.unix_nanos), spdlog::source_loc{}, ToSpdlog(record.level), text);
  }

 private:
  spdlog::logger logger_;
  bool is_json_ = false;
};

Log::Log(std::shared_ptr<spdlog::sinks::sink> sink, std::function<int64_t()> unix_nanos,
         Options options)
    : options_(options),
      unix_nanos_(std::move(unix_nanos)),
      writer_(std::make_unique<Writer>(std::move(sink))) {}

Log::~Log() { Flush(); }

void Log::SetFormat(Format format) {
  const std::lock_guard lock(mutex_);
  writer_->SetFormat(format);
}

bool Log::Admit(LogLevel level, const std::source_location& location) {
  if (!IsWritten(level)) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  const int64_t now = unix_nanos_();
  TellSuppressed(now, false);
  Site& site = sites_[{location.file_name(), location.line()}];
  const int64_t age = now - site.interval_start;
  // The time of the system may also be set back.
  if (site.num_written == 0 || age < 0 || age >= options_.site_interval.count()) {
    site.interval_start = now;
    site.num_written = 0;
  }
  site.level = level;
  if (site.num_written < options_.site_burst) {
    ++site.num_written;
    return true;
  }
  num_suppressing_ += site.num_suppressed == 0 ? 1 : 0;
  ++site.num_suppressed;
  ++counts_.suppressed[static_cast<size_t>(level)];
  return false;
}

void Log::TellSuppressed(int64_t now, bool is_end) {
  if (num_suppressing_ == 0) {
    return;
  }
  for (auto& [key, site] : sites_) {
    const int64_t age = now - site.interval_start;
    if (site.num_suppressed > 0 && (is_end || age < 0 || age >= options_.site_interval.count())) {
      const std::string_view file(key.first);
      LogRecord record;
      record.level = site.level;
      record.event = "df.log.suppressed";
      record.message = fmt::format("{} more suppressed", site.num_suppressed);
      record.fields = {
          {"file",
           file.substr(file.rfind("src/") == std::string_view::npos ? 0 : file.rfind("src/"))},
          {"line", key.second}};
      site.num_suppressed = 0;
      --num_suppressing_;
      WriteLocked(std::move(record));
    }
  }
}

void Log::Write(LogRecord record) {
  const std::lock_guard lock(mutex_);
  WriteLocked(std::move(record));
}

void Log::WriteLocked(LogRecord record) {
  record.sequence = ++last_sequence_;
  record.unix_nanos = unix_nanos_();
  ++counts_.written[static_cast<size_t>(record.level)];
  writer_->Write(record);
  kept_bytes_ += SizeOf(record);
  kept_.push_back(std::move(record));
  while (!kept_.empty() &&
         (kept_.size() > options_.max_kept_records || kept_bytes_ > options_.max_kept_bytes)) {
    kept_bytes_ -= SizeOf(kept_.front());
    kept_.pop_front();
  }
}

std::vector<LogRecord> Log::Kept(uint64_t after, size_t max_records) const {
  const std::lock_guard lock(mutex_);
  std::vector<LogRecord> records;
  if (kept_.empty() || after >= last_sequence_) {
    return records;
  }
  const uint64_t first = kept_.front().sequence;
  for (size_t i = after < first ? 0 : after - first + 1;
       i < kept_.size() && records.size() < max_records; ++i) {
    records.push_back(kept_[i]);
  }
  return records;
}

uint64_t Log::last_sequence() const {
  const std::lock_guard lock(mutex_);
  return last_sequence_;
}

Log::Counts Log::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Log::Flush() {
  const std::lock_guard lock(mutex_);
  TellSuppressed(unix_nanos_(), true);
}

Log& ProcessLog() {
  static Log log(std::make_shared<AboveLineSink>(), SystemUnixNanos, {});
  return log;
}

}  // namespace df
