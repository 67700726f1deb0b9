#include "lake/lists/delta_log.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "lake/catalog/file_summary.h"
#include "lake/lists/line_reader.h"

namespace df::lake {
namespace {

using Json = nlohmann::json;
using storage::DirectoryEntry;

constexpr size_t kMaxLineBytes = size_t{16} << 20;
constexpr size_t kVersionDigits = 20;
constexpr size_t kPartDigits = 10;

/// Reader features that do not change how the data files are read.
constexpr std::string_view kKnownFeatures[] = {"timestampNtz", "vacuumProtocolCheck"};
/// Actions that say nothing of which rows the table has.
constexpr std::string_view kIgnoredActions[] = {"commitInfo", "txn", "cdc", "domainMetadata"};

template <typename List>
bool Contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

/// Takes a number of so many digits from the beginning of a name.
std::optional<int64_t> TakeNumber(std::string_view* name, size_t digits) {
  int64_t number = 0;
  if (name->size() < digits) {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(name->data(), name->data() + digits, number);
  if (error != std::errc() || end != name->data() + digits || number < 0) {
    return std::nullopt;
  }
  name->remove_prefix(digits);
  return number;
}

std::string CommitName(int64_t version) { return fmt::format("{:020}.json", version); }

// Values of JSON that may be missing or null.
const Json* Member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}
std::string TextOf(const Json& object, const char* key) {
  const Json* value = Member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}
Result<int64_t> IntegerOf(const Json& object, const char* key) {
  const Json* value = Member(object, key);
  if (value == nullptr || !value->is_number_integer() ||
      (value->is_number_unsigned() &&
       value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))) {
    return Status::Invalid(fmt::format("{}: found {}, expected a whole number", key,
                                       value == nullptr ? "none" : value->type_name()));
  }
  return value->get<int64_t>();
}
std::map<std::string, std::string> TextsOf(const Json& object, const char* key) {
  std::map<std::string, std::string> texts;
  const Json* value = Member(object, key);
  if (value != nullptr && value->is_object()) {
    for (const auto& [name, text] : value->items()) {
      texts[name] = text.is_string() ? text.get<std::string>() : "";
    }
  }
  return texts;
}
std::vector<std::string> ListOf(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const Json* value = Member(object, key);
  if (value != nullptr && value->is_array()) {
    for (const Json& text : *value) {
      texts.push_back(text.is_string() ? text.get<std::string>() : "");
    }
  }
  return texts;
}

/// Two listings of a log that differ have different prints, but for chance. The order of their
/// entries does not count.
size_t PrintOf(const std::vector<DirectoryEntry>& entries) {
  size_t print = 0;
  for (const DirectoryEntry& entry : entries) {
    print += std::hash<std::string>()(fmt::format("{} {} {} {} {}", entry.name, entry.size_bytes,
                                                  entry.modified_nanos, entry.number.device,
                                                  entry.number.inode));
  }
  return print;
}

int64_t NumRecords(const std::string& stats) {
  const Json parsed = Json::parse(stats, nullptr, false);
  const auto count = parsed.is_object() ? IntegerOf(parsed, "numRecords") : Result<int64_t>(-1);
  return count.ValueOr(-1);
}

}  // namespace

/// The files of a log, by what they are.
struct DeltaLog::LogFiles {
  explicit LogFiles(const std::vector<DirectoryEntry>& entries) {
    for (const DirectoryEntry& entry : entries) {
      std::string_view rest = entry.name;
      const auto version = TakeNumber(&rest, kVersionDigits);
      if (entry.name == "_last_checkpoint") {
        has_last_checkpoint = true;
      } else if (version.has_value() && rest == ".json") {
        commits.emplace(*version, &entry);
      } else if (version.has_value() && rest.starts_with(".checkpoint.")) {
        AddCheckpoint(entry, *version, rest.substr(std::string_view(".checkpoint.").size()));
      }
    }
  }

  void AddCheckpoint(const DirectoryEntry& entry, int64_t version, std::string_view rest) {
    if (rest == "parquet") {
      checkpoints[version] = {entry.name};
      return;
    }
    const auto part = TakeNumber(&rest, kPartDigits);
    if (part.has_value() && rest.starts_with('.')) {
      rest.remove_prefix(1);
      const auto count = TakeNumber(&rest, kPartDigits);
      if (count.has_value() && rest == ".parquet") {
        parts[{version, *count}].insert(entry.name);
        return;
      }
    }
    unknown_checkpoint = entry.name;
  }

  /// Returns the newest version that has a complete checkpoint, with the files of it. Returns -1 if
  /// no version has one.
  std::pair<int64_t, std::vector<std::string>> NewestCheckpoint() const {
    std::pair<int64_t, std::vector<std::string>> newest = {-1, {}};
    if (!checkpoints.empty()) {
      newest = *checkpoints.rbegin();
    }
    for (const auto& [key, names] : parts) {
      if (key.first > newest.first && static_cast<int64_t>(names.size()) == key.second) {
        newest = {key.first, {names.begin(), names.end()}};
      }
    }
    return newest;
  }

  int64_t Newest() const {
    const int64_t commit = commits.empty() ? -1 : commits.rbegin()->first;
    return std::max(commit, NewestCheckpoint().first);
  }

  std::map<int64_t, const DirectoryEntry*> commits;
  std::map<int64_t, std::vector<std::string>> checkpoints;
  std::map<std::pair<int64_t, int64_t>, std::set<std::string>> parts;  ///< by version and count
  std::string unknown_checkpoint;
  bool has_last_checkpoint = false;
};

void DeltaLog::Reset() {
  version_ = -1;
  last_commit_ = {};
  has_metadata_ = false;
  partition_columns_.clear();
  columns_.clear();
  files_.clear();
}

Status DeltaLog::Update(const std::vector<DirectoryEntry>& entries) {
  const size_t print = PrintOf(entries);
  if (!refusal_.ok() && print == refused_print_) {
    return refusal_;
  }
  refusal_ = Read(LogFiles(entries));
  if (!refusal_.ok()) {
    Reset();
  }
  // What a store could not give may pass; what the log says does not.
  refused_print_ = print;
  return refusal_.IsInvalid() ? refusal_ : std::exchange(refusal_, Status::OK());
}

Status DeltaLog::Read(const LogFiles& log) {
  if (!log.unknown_checkpoint.empty()) {
    return Status::Invalid(fmt::format("found checkpoint {}, expected one in the form of version 1",
                                       PrintableText(log.unknown_checkpoint)));
  }
  if (log.Newest() < 0) {
    return Status::Invalid("found no version in _delta_log");
  }
  ARROW_RETURN_NOT_OK(CheckLastCheckpoint(log));
  const auto commit = log.commits.find(version_);
  if (commit == log.commits.end() || commit->second->size_bytes != last_commit_.size_bytes ||
      commit->second->modified_nanos != last_commit_.modified_nanos ||
      commit->second->number != last_commit_.number) {
    Reset();  // nothing is known, or the table was made anew
  }
  ARROW_RETURN_NOT_OK(Continue(log));
  return has_metadata_ ? Status::OK() : Status::Invalid("found no metaData in the log");
}

/// A log whose end is gone would look like an older version of the table.
Status DeltaLog::CheckLastCheckpoint(const LogFiles& log) const {
  if (!log.has_last_checkpoint) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(const auto file,
                        store_->OpenFile(FullPath(folder_, "_delta_log/_last_checkpoint")));
  ARROW_ASSIGN_OR_RAISE(const auto bytes, file->Read(int64_t{1} << 20));
  const Json hint = Json::parse(bytes->ToString(), nullptr, false);
  const auto version = hint.is_object() ? IntegerOf(hint, "version") : Result<int64_t>(-1);
  if (version.ValueOr(-1) > log.Newest()) {
    return Status::Invalid(
        fmt::format("found versions up to {}, expected {} and more, of which _last_checkpoint says "
                    "there is a checkpoint",
                    log.Newest(), *version));
  }
  return Status::OK();
}

Status DeltaLog::Continue(const LogFiles& log) {
  if (version_ < 0) {
    const auto [version, names] = log.NewestCheckpoint();
    for (const std::string& name : names) {
      ARROW_RETURN_NOT_OK(
          ReadDeltaCheckpoint(store_, FullPath(folder_, "_delta_log/" + name), version, this));
    }
    version_ = version;
  }
  for (const int64_t last = log.Newest(); version_ < last;) {
    const auto commit = log.commits.find(version_ + 1);
    if (commit == log.commits.end()) {
      return Status::Invalid(fmt::format(
          "found no {}, and versions up to {}: which files the table has cannot be told",
          CommitName(version_ + 1), last));
    }
    ARROW_RETURN_NOT_OK(ReadCommit(commit->first));
    version_ = commit->first;
    last_commit_ = *commit->second;
  }
  if (const auto commit = log.commits.find(version_); commit != log.commits.end()) {
    last_commit_ = *commit->second;
  }
  return Status::OK();
}

Status DeltaLog::ReadCommit(int64_t version) {
  ARROW_ASSIGN_OR_RAISE(const auto file,
                        store_->OpenFile(FullPath(folder_, "_delta_log/" + CommitName(version))));
  LineReader lines(file, kMaxLineBytes);
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto line, lines.Next());
    if (!line.has_value()) {
      return Status::OK();
    }
    const Status status =
        line->is_too_long
            ? Status::Invalid(fmt::format("found more than {}", FormatSize(kMaxLineBytes)))
            : ReadAction(line->text, version);
    if (!status.ok()) {
      return Status::Invalid(
          fmt::format("{}:{}: {}", CommitName(version), line->number, status.message()));
    }
  }
}

Status DeltaLog::ReadAction(std::string_view line, int64_t version) {
  const Json object = Json::parse(line, nullptr, false);
  if (!object.is_object() || object.size() != 1 || !object.begin()->is_object()) {
    return Status::Invalid("found no action, expected a JSON object with one");
  }
  const std::string& name = object.begin().key();
  const Json& action = *object.begin();
  if (name == "add") {
    ARROW_ASSIGN_OR_RAISE(const int64_t size, IntegerOf(action, "size"));
    return Add({.path = TextOf(action, "path"),
                .size_bytes = size,
                .stats = TextOf(action, "stats"),
                .partition_values = TextsOf(action, "partitionValues"),
                .has_deletion_vector = Member(action, "deletionVector") != nullptr},
               version);
  }
  if (name == "remove") {
    return Remove(TextOf(action, "path"));
  }
  if (name == "metaData") {
    const Json* format = Member(action, "format");
    return SetMetadata(
        {.provider = format == nullptr || !format->is_object() ? "" : TextOf(*format, "provider"),
         .schema = TextOf(action, "schemaString"),
         .partition_columns = ListOf(action, "partitionColumns"),
         .configuration = TextsOf(action, "configuration")});
  }
  if (name == "protocol") {
    ARROW_ASSIGN_OR_RAISE(const int64_t min_reader, IntegerOf(action, "minReaderVersion"));
    return CheckProtocol(
        {.min_reader_version = min_reader, .reader_features = ListOf(action, "readerFeatures")});
  }
  if (!Contains(kIgnoredActions, name)) {
    return Status::Invalid(
        fmt::format("found action '{}', which is not known", PrintableText(name)));
  }
  return Status::OK();
}

Status DeltaLog::Add(DeltaAdd add, int64_t version) {
  if (add.path.empty()) {
    return Status::Invalid("found an added file without a path");
  }
  if (add.has_deletion_vector) {
    return Status::Invalid(
        fmt::format("file {} has a deletion vector: rows of it are deleted, and vectors are not "
                    "read; write the table anew without (REORG TABLE .. APPLY (PURGE))",
                    PrintableText(add.path)));
  }
  DeltaFile file{.size_bytes = add.size_bytes,
                 .num_rows = NumRecords(add.stats),
                 .values = std::move(add.partition_values),
                 .version = version};
  files_.insert_or_assign(std::move(add.path), std::move(file));
  return Status::OK();
}

Status DeltaLog::Remove(const std::string& path) {
  if (path.empty()) {
    return Status::Invalid("found a removed file without a path");
  }
  // Of a name that is written in another way the file would stay, and its rows come back.
  return files_.erase(path) > 0
             ? Status::OK()
             : Status::Invalid(
                   fmt::format("found {} removed, which is no file of the table at that version",
                               PrintableText(path)));
}

Status DeltaLog::SetMetadata(const DeltaMetadata& metadata) {
  if (metadata.provider != "parquet") {
    return Status::Invalid(fmt::format("found files of format '{}', expected parquet",
                                       PrintableText(metadata.provider)));
  }
  const auto mapping = metadata.configuration.find("delta.columnMapping.mode");
  if (mapping != metadata.configuration.end() && mapping->second != "none") {
    return Status::Invalid(
        fmt::format("found column mapping '{}', expected none: columns have other names in files",
                    PrintableText(mapping->second)));
  }
  for (const std::string& column : metadata.partition_columns) {
    if (otap::FindColumn(table_.columns, column) != nullptr) {
      return Status::Invalid(
          fmt::format("partitioned by {}, a column of the model, which files do not have then",
                      PrintableText(column)));
    }
  }
  const Json schema = Json::parse(metadata.schema, nullptr, false);
  const Json* fields = schema.is_object() ? Member(schema, "fields") : nullptr;
  if (fields == nullptr || !fields->is_array()) {
    return Status::Invalid("metaData.schemaString: found no fields");
  }
  columns_.clear();
  for (const Json& field : *fields) {
    std::string name = field.is_object() ? TextOf(field, "name") : "";
    if (IsPartitionColumn(name)) {
      columns_.push_back(std::move(name));
    }
  }
  std::sort(columns_.begin(), columns_.end());  // the same in all tables
  partition_columns_ = metadata.partition_columns;
  has_metadata_ = true;
  return Status::OK();
}

Status DeltaLog::CheckProtocol(const DeltaProtocol& protocol) {
  if (protocol.min_reader_version < 1 || protocol.min_reader_version > 3) {
    return Status::Invalid(
        fmt::format("found minReaderVersion {}, expected 1 to 3", protocol.min_reader_version));
  }
  std::vector<std::string> unknown;
  for (const std::string& feature : protocol.reader_features) {
    if (!Contains(kKnownFeatures, feature)) {
      unknown.push_back(PrintableText(feature));
    }
  }
  return unknown.empty() ? Status::OK()
                         : Status::Invalid(fmt::format(
                               "found reader features {}, expected none but {}",
                               fmt::join(unknown, ", "), fmt::join(kKnownFeatures, ", ")));
}

}  // namespace df::lake
