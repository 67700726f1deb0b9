#include "lake/catalog/compactions.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/io_util.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "lake/catalog/file_summary.h"

namespace df::lake {
namespace {

constexpr int kVersion = 1;
constexpr std::array<std::string_view, 3> kStageNames = {"moving", "removing", "done"};

/// Tells whether a path stays below the base.
bool IsBelow(const std::string& path) {
  if (path.empty() || path.front() == '/') {
    return false;
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = std::string_view(path).substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

Status ReadPaths(const nlohmann::json& json, const char* key, std::vector<std::string>* paths) {
  const auto list = json.find(key);
  if (list == json.end() || !list->is_array()) {
    return Status::Invalid(fmt::format("{}: found no list of paths", key));
  }
  for (const auto& one : *list) {
    if (!one.is_string() || !IsBelow(one.get<std::string>())) {
      return Status::Invalid(fmt::format("{}: found {}, expected a path below the base", key,
                                         PrintableText(one.dump(-1, ' ', true))));
    }
    paths->push_back(one.get<std::string>());
  }
  return Status::OK();
}

}  // namespace

std::string CompactionName(const std::string& id, CompactionStage stage) {
  return fmt::format("{}.{}.json", id, kStageNames[static_cast<size_t>(stage)]);
}

std::optional<CompactionNameParts> ParseCompactionName(std::string_view name) {
  for (size_t i = 0; i < kStageNames.size(); ++i) {
    const std::string suffix = fmt::format(".{}.json", kStageNames[i]);
    if (name.size() > suffix.size() && name.ends_with(suffix) && name.front() != '.') {
      return CompactionNameParts{std::string(name.substr(0, name.size() - suffix.size())),
                                 static_cast<CompactionStage>(i)};
    }
  }
  return std::nullopt;
}

std::string WriteCompaction(const Compaction& compaction) {
  nlohmann::ordered_json text;
  text["otap_compaction"] = kVersion;
  text["reason"] = compaction.reason;
  text["begun_at_unix_nano"] = compaction.begun_nanos;
  text["keeps_old"] = compaction.keeps_old;
  text["old"] = compaction.old_files;
  text["new"] = compaction.new_files;
  return text.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::strict) + "\n";
}

Result<Compaction> ReadCompaction(std::string_view text, CompactionNameParts name) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("otap_compaction") ||
      !json["otap_compaction"].is_number_integer()) {
    return Status::Invalid("found no JSON object with the key otap_compaction");
  }
  if (json["otap_compaction"].get<int64_t>() != kVersion) {
    return Status::Invalid(fmt::format("found version {}, expected {}",
                                       json["otap_compaction"].get<int64_t>(), kVersion));
  }
  Compaction compaction;
  compaction.id = std::move(name.id);
  compaction.stage = name.stage;
  const auto reason = json.find("reason");
  const auto begun = json.find("begun_at_unix_nano");
  const auto keeps_old = json.find("keeps_old");
  if (reason == json.end() || !reason->is_string() || begun == json.end() ||
      !begun->is_number_integer() || keeps_old == json.end() || !keeps_old->is_boolean()) {
    return Status::Invalid("expected the keys reason, begun_at_unix_nano and keeps_old");
  }
  compaction.reason = reason->get<std::string>();
  compaction.begun_nanos = begun->get<int64_t>();
  compaction.keeps_old = keeps_old->get<bool>();
  ARROW_RETURN_NOT_OK(ReadPaths(json, "old", &compaction.old_files));
  ARROW_RETURN_NOT_OK(ReadPaths(json, "new", &compaction.new_files));
  return compaction;
}

Result<Compaction> ReadCompactionFile(storage::Store& store, const std::string& base,
                                      const std::string& name) {
  const auto parts = ParseCompactionName(name);
  if (!parts.has_value()) {
    return Status::Invalid("the name is not that of a compaction");
  }
  ARROW_ASSIGN_OR_RAISE(
      const auto file,
      store.OpenFile(FullPath(base, fmt::format("{}/{}", kCompactionsFolder, name))));
  ARROW_ASSIGN_OR_RAISE(const int64_t size_bytes, file->GetSize());
  if (size_bytes > kMostCompactionBytes) {
    return Status::Invalid(
        fmt::format("found {} bytes, expected at most {}", size_bytes, kMostCompactionBytes));
  }
  ARROW_ASSIGN_OR_RAISE(const auto bytes, file->ReadAt(0, size_bytes));
  return ReadCompaction(std::string_view(*bytes), *parts);
}

Result<std::set<std::string>> ListCompactions(storage::DirectoryReader* directories,
                                              const std::string& base) {
  std::set<std::string> names;
  const auto listed = directories->List(FullPath(base, std::string(kCompactionsFolder)));
  if (arrow::internal::ErrnoFromStatus(listed.status()) == ENOENT) {
    return names;
  }
  ARROW_RETURN_NOT_OK(listed.status());
  for (const storage::DirectoryEntry& entry : listed->entries) {
    if (!entry.is_directory && ParseCompactionName(entry.name).has_value()) {
      names.insert(entry.name);
    }
  }
  return names;
}

Result<Compactions> Compactions::Read(storage::Store& store, storage::DirectoryReader* directories,
                                      const std::string& base) {
  Compactions compactions;
  const std::string folder(kCompactionsFolder);
  auto names = ListCompactions(directories, base);
  if (!names.ok()) {
    return WithContext(names.status().WithMessage("whether files of it take the place of others "
                                                  "cannot be told: ",
                                                  names.status().message()),
                       ErrorKind::kFileDiscovery, {.file = folder}, true);
  }
  compactions.names_ = *std::move(names);
  for (const std::string& name : compactions.names_) {
    if (ParseCompactionName(name)->stage == CompactionStage::kDone) {
      continue;
    }
    const std::string path = folder + "/" + name;
    auto compaction = ReadCompactionFile(store, base, name);
    if (!compaction.ok()) {
      const bool is_gone = !store.Exists(FullPath(base, path)).ValueOr(true);
      return WithContext(
          compaction.status().WithMessage("which files it takes the place of cannot be told: ",
                                          compaction.status().message()),
          ErrorKind::kFileDiscovery, {.file = path}, is_gone);
    }
    compactions.hidden_.insert(compaction->hidden().begin(), compaction->hidden().end());
  }
  return compactions;
}

}  // namespace df::lake
