#include "lake/ledger/progress.h"

#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "otap/schema.h"

namespace df::lake {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    hex += kHexDigits[value >> 4];
    hex += kHexDigits[value & 15];
  }
  return hex;
}

/// Returns false for what is not hexadecimal.
bool FromHex(std::string_view hex, std::string* bytes) {
  if (hex.size() % 2 != 0) {
    return false;
  }
  for (size_t i = 0; i < hex.size(); i += 2) {
    const size_t high = kHexDigits.find(hex[i]);
    const size_t low = kHexDigits.find(hex[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      return false;
    }
    bytes->push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

/// Reads numbers of one file, and remembers what was wrong first.
class Entry {
 public:
  Entry(const nlohmann::json& json, size_t index) : json_(json), index_(index) {}

  std::string Text(const char* key) {
    const auto found = json_.find(key);
    if (found == json_.end() || !found->is_string()) {
      Fail(fmt::format("{}: found no text", key));
      return "";
    }
    return found->get<std::string>();
  }

  int64_t Number(const char* key) {
    const auto found = json_.find(key);
    return CheckedNumber(found == json_.end() ? nlohmann::json() : *found, key);
  }

  int64_t CheckedNumber(const nlohmann::json& value, std::string_view what) {
    if (!value.is_number_integer() || value < 0 ||
        (value.is_number_unsigned() &&
         value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})) {
      Fail(fmt::format("{}: found {}, expected a number of 0 or more", what,
                       PrintableText(value.dump(-1, ' ', true).substr(0, 100))));
      return 0;
    }
    return value.get<int64_t>();
  }

  void Fail(const std::string& what) {
    if (status_.ok()) {
      status_ = Status::Invalid(fmt::format("file {} of the list: {}", index_ + 1, what));
    }
  }
  const Status& status() const { return status_; }
  const nlohmann::json& json() const { return json_; }

 private:
  const nlohmann::json& json_;
  size_t index_;
  Status status_;
};

void ReadRows(Entry* entry, DeliveredFile* file) {
  const auto delivered = entry->json().find("delivered");
  if (delivered != entry->json().end() && delivered->is_string() && *delivered == "all") {
    file->is_whole = true;
    return;
  }
  if (delivered == entry->json().end() || !delivered->is_array()) {
    entry->Fail("delivered: expected 'all' or runs of rows");
    return;
  }
  for (const auto& run : *delivered) {
    if (!run.is_array() || run.size() != 3) {
      entry->Fail("delivered: expected runs of [row group, first row, rows]");
      return;
    }
    const int64_t group = entry->CheckedNumber(run[0], "row group");
    const int64_t first = entry->CheckedNumber(run[1], "first row");
    const int64_t count = entry->CheckedNumber(run[2], "rows");
    // More than the file has would make it whole when it is not.
    if (group > std::numeric_limits<int16_t>::max() || first > file->num_rows ||
        count > file->num_rows - first) {
      entry->Fail(
          fmt::format("delivered: found rows {} and {} more of row group {}, in a file of "
                      "{} records",
                      first, count, group, file->num_rows));
      return;
    }
    file->rows.Add(static_cast<int>(group), first, count);
  }
  if (file->rows.num_rows() > file->num_rows) {
    entry->Fail(fmt::format("delivered: found {} rows in a file of {} records",
                            file->rows.num_rows(), file->num_rows));
  }
}

}  // namespace

std::string WriteProgress(std::span<const DeliveredFile> files, int64_t* num_left_out) {
  *num_left_out = 0;
  std::string text = "[";
  for (const DeliveredFile& file : files) {
    if (!IsValidUtf8(file.id.path) || !IsValidUtf8(file.id.partition)) {
      ++*num_left_out;
      continue;
    }
    Json delivered = "all";
    if (!file.is_whole) {
      delivered = Json::array();
      file.rows.VisitRuns([&](int row_group, int64_t first, int64_t count) {
        delivered.push_back({row_group, first, count});
      });
    }
    const Json json = {{"table", otap::GetTable(file.id.table).directory},
                       {"partition", file.id.partition},
                       {"file", file.id.path},
                       {"bytes", file.id.size_bytes},
                       {"modified_unix_nano", file.id.modified_nanos},
                       {"footer", ToHex(file.id.digest)},
                       {"records", file.num_rows},
                       {"delivered", std::move(delivered)}};
    text += text.size() > 1 ? ",\n" : "\n";
    text += json.dump();
  }
  return text + "]";
}

Result<std::vector<DeliveredFile>> ReadProgress(std::string_view json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_array()) {
    return Status::Invalid("found no list of files");
  }
  std::vector<DeliveredFile> files;
  for (size_t i = 0; i < parsed.size(); ++i) {
    Entry entry(parsed[i], i);
    DeliveredFile file;
    const otap::TableInfo* const table = otap::FindTable(entry.Text("table"));
    if (table == nullptr || !table->is_root()) {
      entry.Fail("table: expected one of records");
    } else {
      file.id.table = table->kind;
    }
    file.id.partition = entry.Text("partition");
    file.id.path = entry.Text("file");
    file.id.size_bytes = entry.Number("bytes");
    file.id.modified_nanos = entry.Number("modified_unix_nano");
    file.num_rows = entry.Number("records");
    if (!FromHex(entry.Text("footer"), &file.id.digest) || file.id.digest.empty()) {
      entry.Fail("footer: expected hexadecimal digits");
    }
    ReadRows(&entry, &file);
    ARROW_RETURN_NOT_OK(entry.status());
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace df::lake
