#include "lake/ledger/quarantine.h"

#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace df::lake {
namespace {

using Json = nlohmann::ordered_json;

Status Wrong(const char* key, std::string_view expected) {
  return Status::Invalid(fmt::format("{}: expected {}", key, expected));
}

/// Returns a number of 0 or more.
Result<int64_t> NumberIn(const Json& json, const char* key) {
  const bool is_number = json.is_number_integer() && json >= 0 &&
                         (!json.is_number_unsigned() ||
                          json.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()});
  return is_number ? Result<int64_t>(json.get<int64_t>()) : Wrong(key, "a number of 0 or more");
}

Result<int64_t> NumberAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? Wrong(key, "a number of 0 or more") : NumberIn(*found, key);
}

Result<std::string> TextAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? Result<std::string>(found->get<std::string>())
                                                   : Wrong(key, "a text");
}

Status ReadRows(const Json& json, RowRanges* rows) {
  constexpr const char* kKey = "rows";
  const auto found = json.find(kKey);
  if (found == json.end() || !found->is_array()) {
    return Wrong(kKey, "runs of [row group, first row, rows]");
  }
  for (const Json& run : *found) {
    if (!run.is_array() || run.size() != 3) {
      return Wrong(kKey, "runs of [row group, first row, rows]");
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t group, NumberIn(run[0], kKey));
    ARROW_ASSIGN_OR_RAISE(const int64_t first, NumberIn(run[1], kKey));
    ARROW_ASSIGN_OR_RAISE(const int64_t count, NumberIn(run[2], kKey));
    if (group > std::numeric_limits<int16_t>::max() ||
        count > std::numeric_limits<int64_t>::max() - first) {
      return Wrong(kKey, "rows that a file can have");
    }
    rows->Add(static_cast<int>(group), first, count);
  }
  return Status::OK();
}

}  // namespace

std::string_view Name(QuarantineCause cause) {
  return cause == QuarantineCause::kRefused ? "refused" : "unreadable";
}

Result<std::string> WriteQuarantineEntry(const QuarantineEntry& entry) {
  if (!IsValidUtf8(entry.path)) {
    return Wrong("file", "a name in UTF-8");
  }
  Json rows = Json::array();
  entry.rows.VisitRuns([&](int row_group, int64_t first, int64_t count) {
    rows.push_back({row_group, first, count});
  });
  const Json json = {{"cause", Name(entry.cause)},
                     {"table", otap::GetTable(entry.table).directory},
                     {"file", entry.path},
                     {"bytes", entry.size_bytes},
                     {"modified_unix_nano", entry.modified_nanos},
                     {"file_number", entry.file},
                     {"rows", std::move(rows)},
                     {"reason", entry.reason},
                     {"since_unix_nano", entry.since_unix_nano},
                     {"dropped", entry.is_dropped}};
  // What a server says of a refusal may be anything.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<QuarantineEntry> ReadQuarantineEntry(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Status::Invalid("found no object");
  }
  QuarantineEntry entry;
  ARROW_ASSIGN_OR_RAISE(const std::string cause, TextAt(json, "cause"));
  if (cause != Name(QuarantineCause::kRefused) && cause != Name(QuarantineCause::kUnreadable)) {
    return Wrong("cause", "unreadable or refused");
  }
  entry.cause = cause == Name(QuarantineCause::kRefused) ? QuarantineCause::kRefused
                                                         : QuarantineCause::kUnreadable;
  ARROW_ASSIGN_OR_RAISE(const std::string name, TextAt(json, "table"));
  const otap::TableInfo* const table = otap::FindTable(name);
  if (table == nullptr) {
    return Wrong("table", "a table of the model");
  }
  entry.table = table->kind;
  ARROW_ASSIGN_OR_RAISE(entry.path, TextAt(json, "file"));
  ARROW_ASSIGN_OR_RAISE(entry.size_bytes, NumberAt(json, "bytes"));
  ARROW_ASSIGN_OR_RAISE(entry.modified_nanos, NumberAt(json, "modified_unix_nano"));
  ARROW_ASSIGN_OR_RAISE(entry.file, NumberAt(json, "file_number"));
  ARROW_RETURN_NOT_OK(ReadRows(json, &entry.rows));
  ARROW_ASSIGN_OR_RAISE(entry.reason, TextAt(json, "reason"));
  ARROW_ASSIGN_OR_RAISE(entry.since_unix_nano, NumberAt(json, "since_unix_nano"));
  const auto dropped = json.find("dropped");
  if (dropped == json.end() || !dropped->is_boolean()) {
    return Wrong("dropped", "true or false");
  }
  entry.is_dropped = dropped->get<bool>();
  return entry;
}

}  // namespace df::lake
