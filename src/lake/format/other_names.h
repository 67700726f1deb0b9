// Names under which other layouts keep what the model has. Private to lake/.
#pragma once

#include <cctype>
#include <string>
#include <string_view>

namespace df::lake {

/// Names under which other layouts keep a column of the model, as SpellingKey.
struct OtherName {
  std::string_view key;
  std::string_view column;
  std::string_view child;
};
inline constexpr OtherName kOtherNames[] = {
    {"timestamp", "time_unix_nano", ""},
    {"time", "time_unix_nano", ""},
    {"observedtimestamp", "observed_time_unix_nano", ""},
    {"observedtime", "observed_time_unix_nano", ""},
    {"starttimestamp", "start_time_unix_nano", ""},
    {"starttime", "start_time_unix_nano", ""},
    {"duration", "duration_time_unix_nano", ""},
    {"durationnano", "duration_time_unix_nano", ""},
    {"severity", "severity_number", ""},
    {"spanname", "name", ""},
    {"spankind", "kind", ""},
    {"metricname", "name", ""},
    {"statusmessage", "status", "status_message"},
};

/// Names of columns that hold rows of child tables in layouts with one table, as SpellingKey.
inline constexpr std::string_view kNestedTables[] = {
    "attributes",      "attrs",      "resourceattributes", "resourceattrs",
    "scopeattributes", "scopeattrs", "logattributes",      "logattrs",
    "spanattributes",  "spanattrs",  "metricattributes",   "events",
    "links",           "datapoints", "exemplars",
};

/// Letters and digits of a name, in lower case: what is left of it in any spelling.
inline std::string SpellingKey(std::string_view name) {
  std::string key;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return key;
}

}  // namespace df::lake
