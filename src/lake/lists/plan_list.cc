#include "lake/lists/plan_list.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "lake/lists/line_reader.h"
#include "lake/lists/listed_lake.h"
#include "lake/lists/place_in_base.h"

namespace df::lake {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> kKeys = {"table", "partition", "path", "size", "rows"};

/// Takes a text out of an object. Errors: Invalid.
Result<std::string> TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    return Status::Invalid(fmt::format("{}: found {}, expected text", key,
                                       found == object.end() ? "none" : found->type_name()));
  }
  return found->get<std::string>();
}

/// Takes a count that may be missing; -1 then.
Result<int64_t> CountOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) {
    return -1;
  }
  // A whole number is read as unsigned where it is not negative.
  if (!found->is_number_unsigned() ||
      found->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Status::Invalid(fmt::format("{}: found {}, expected a count", key,
                                       found->is_number() ? "another number" : found->type_name()));
  }
  return found->get<int64_t>();
}

/// Returns what is wrong with the keys of a line, "" when nothing is.
std::string UnknownKey(const Json& object) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      return fmt::format("found key '{}', expected table, partition, path, size or rows",
                         PrintableText(key));
    }
  }
  return "";
}

/// Reads the lines of a plan into a listing.
class PlanReader {
 public:
  PlanReader(const storage::Store& store, const std::string& base, const std::string& plan,
             ListedLake* lake)
      : store_(store), base_(base), plan_(plan), lake_(lake) {}

  Status Read(const LineReader::Line& line) {
    named_at_ = fmt::format("{}:{}", plan_, line.number);
    if (line.is_too_long) {
      Lose(fmt::format("found a line of more than {}", FormatSize(kMaxPlanLineBytes)));
      return Status::OK();
    }
    const Json object = Json::parse(line.text, nullptr, false);
    if (!object.is_object()) {
      Lose("found no JSON object, expected one a line");
      return Status::OK();
    }
    if (object.contains("version")) {
      return ReadHeader(object, line.number);
    }
    ReadFile(object);
    return Status::OK();
  }

 private:
  Status ReadHeader(const Json& object, int64_t number) {
    const Json& version = object["version"];
    if (version.is_number_integer() && version.get<int64_t>() == kPlanVersion && number == 1) {
      return Status::OK();
    }
    return MakeError(
        ErrorKind::kFileDiscovery,
        fmt::format("{}: found version {}, expected {} in line 1", named_at_,
                    PrintableText(version.dump(-1, ' ', true, Json::error_handler_t::replace)),
                    kPlanVersion));
  }

  void ReadFile(const Json& object) {
    const auto name = TextOf(object, "table");
    const otap::TableInfo* table = name.ok() ? otap::FindTable(*name) : nullptr;
    if (table == nullptr) {
      Lose(name.ok() ? fmt::format("found table '{}', expected one of the 27 of the model",
                                   PrintableText(*name))
                     : name.status().message());
      return;
    }
    if (!lake_->IsNeeded(table->kind)) {
      return;
    }
    if (const std::string unknown = UnknownKey(object); !unknown.empty()) {
      Lose(unknown, table);
      return;
    }
    const auto file = FileOf(object, table->kind);
    if (!file.ok()) {
      Lose(file.status().message(), table);
      return;
    }
    lake_->Add(*file);
  }

  Result<ListedFile> FileOf(const Json& object, otap::TableKind table) const {
    ListedFile file{.table = table, .partition = "", .path = "", .named_at = named_at_};
    ARROW_ASSIGN_OR_RAISE(file.partition, TextOf(object, "partition"));
    ARROW_ASSIGN_OR_RAISE(const std::string path, TextOf(object, "path"));
    ARROW_ASSIGN_OR_RAISE(file.path, PlaceInBase(store_, base_, path));
    if (file.path.empty()) {
      return Status::Invalid("path: found the base itself, expected a file below it");
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t size, CountOf(object, "size"));
    file.size_bytes = size < 0 ? std::nullopt : std::optional(size);
    ARROW_ASSIGN_OR_RAISE(file.num_rows, CountOf(object, "rows"));
    return file;
  }

  /// A line is not used: a file of the table, or of any, is missing.
  void Lose(const std::string& why, const otap::TableInfo* table = nullptr) {
    lake_->AddProblem(MakeError(ErrorKind::kFileDiscovery,
                                fmt::format("{}: {}: the line is left out", named_at_, why),
                                {.table = table == nullptr ? "" : std::string(table->directory)}));
    for (const otap::TableInfo& other : otap::AllTables()) {
      if (table == nullptr || table == &other) {
        lake_->AddMissing(other.kind);
      }
    }
  }

  const storage::Store& store_;
  const std::string& base_;
  const std::string& plan_;
  ListedLake* lake_;
  std::string named_at_;
};

}  // namespace

Result<LakeListing> PlanList::List(const std::vector<otap::Signal>& signals) {
  const auto local = storage::Store::Local();
  auto file = local->OpenFile(plan_);
  if (!file.ok()) {
    return WithContext(file.status(), ErrorKind::kIo, {.file = plan_}, /*retryable=*/true);
  }
  ARROW_ASSIGN_OR_RAISE(auto lake, ListedLake::Open(store_.get(), base_, signals));
  PlanReader reader(*store_, base_, plan_, lake.get());
  LineReader lines(*file, kMaxPlanLineBytes);
  while (true) {
    const auto line = lines.Next();
    if (!line.ok()) {
      return WithContext(line.status(), ErrorKind::kIo, {.file = plan_}, /*retryable=*/true);
    }
    if (!line->has_value()) {
      return lake->Finish();
    }
    ARROW_RETURN_NOT_OK(reader.Read(**line));
  }
}

std::string PlanHeader() { return fmt::format(R"({{"version":{}}})", kPlanVersion); }

Result<std::string> PlanLine(otap::TableKind table, const std::string& partition,
                             const FileEntry& entry) {
  if (!IsValidUtf8(entry.path) || !IsValidUtf8(partition)) {
    return Status::Invalid("the path is not UTF-8, which a plan cannot say");
  }
  nlohmann::ordered_json line;
  line["table"] = std::string(otap::GetTable(table).directory);
  line["partition"] = partition;
  line["path"] = entry.path;
  line["size"] = entry.size_bytes;
  return line.dump();
}

}  // namespace df::lake
