// Front end to the log of the process: one line per record, on standard error.
//
//   LogInfo("listening on {}", address);
//   LogEvent(LogLevel::kWarning, "df.pipeline.restarting", "the instance is started again",
//            {{"core", 3}, {"cause", status.message()}});
#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"

namespace df {

/// Sets the lowest level that is written; the default is kInfo.
inline void SetLogLevel(LogLevel level) { ProcessLog().set_level(level); }

/// A format text together with the place where it stands, which the limit of the log goes by.
template <typename... Args>
struct LogFormat {
  template <typename S>
  consteval LogFormat(const S& format_text,
                      std::source_location format_site = std::source_location::current())
      : text(format_text), site(format_site) {}

  fmt::format_string<Args...> text;
  std::source_location site;
};

/// Writes a record with an event name and fields. `event` is a constant with dots.
/// Calls: from any thread, like all below.
void LogEvent(LogLevel level, std::string_view event, std::string_view message,
              std::vector<LogField> fields = {},
              std::source_location site = std::source_location::current());

/// Writes a message, in which nothing has been formatted yet when the level is not written or the
/// place has written too much.
template <typename... Args>
void LogMessage(LogLevel level, const LogFormat<std::type_identity_t<Args>...>& format,
                Args&&... args) {
  if (ProcessLog().Admit(level, format.site)) {
    LogRecord record;
    record.level = level;
    record.message = fmt::format(format.text, std::forward<Args>(args)...);
    ProcessLog().Write(std::move(record));
  }
}

template <typename... Args>
void LogDebug(LogFormat<std::type_identity_t<Args>...> format, Args&&... args) {
  LogMessage<Args...>(LogLevel::kDebug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogInfo(LogFormat<std::type_identity_t<Args>...> format, Args&&... args) {
  LogMessage<Args...>(LogLevel::kInfo, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogWarning(LogFormat<std::type_identity_t<Args>...> format, Args&&... args) {
  LogMessage<Args...>(LogLevel::kWarning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void LogError(LogFormat<std::type_identity_t<Args>...> format, Args&&... args) {
  LogMessage<Args...>(LogLevel::kError, format, std::forward<Args>(args)...);
}

}  // namespace df
