#include "base/logging.h"

namespace df {

void LogEvent(LogLevel level, std::string_view event, std::string_view message,
              std::vector<LogField> fields, std::source_location site) {
  if (ProcessLog().Admit(level, site)) {
    LogRecord record;
    record.level = level;
    record.event = event;
    record.message = message;
    record.fields = std::move(fields);
    ProcessLog().Write(std::move(record));
  }
}

}  // namespace df
