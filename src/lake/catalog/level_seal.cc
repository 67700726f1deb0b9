#include "lake/catalog/level_seal.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <set>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace df::lake {
namespace {

constexpr std::string_view kPrefix = "_sealed-";
constexpr std::string_view kSuffix = ".json";
constexpr int kVersion = 1;

/// Tells whether a table holds rows of several signals: attributes of resources and scopes.
bool IsShared(const otap::TableInfo& table) {
  return std::count_if(otap::kAllSignals.begin(), otap::kAllSignals.end(),
                       [&](otap::Signal signal) { return table.has_signal(signal); }) > 1;
}

}  // namespace

std::string SealName(int64_t sealed_nanos) {
  return fmt::format("{}{}{}", kPrefix, sealed_nanos / 1'000'000, kSuffix);
}

int64_t SealMillis(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) {
    return -1;
  }
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  int64_t millis = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), millis);
  const bool is_time = error == std::errc() && end == name.data() + name.size() && millis >= 0 &&
                       millis <= std::numeric_limits<int64_t>::max() / 1'000'000;
  return is_time ? millis : -1;
}

std::string_view LevelOfPartition(std::string_view partition) {
  const size_t slash = partition.find_last_of('/');
  return slash == std::string_view::npos ? std::string_view() : partition.substr(0, slash);
}

std::string_view NameInLevel(std::string_view partition) {
  return partition.substr(partition.find_last_of('/') + 1);
}

bool IsInLevel(std::string_view partition) {
  const std::string_view name = NameInLevel(partition);
  return !name.starts_with("hour=") && !name.starts_with("date=");
}

std::string WriteSeal(const LevelSeal& seal, otap::Signal signal) {
  nlohmann::ordered_json text;
  text["otap_seal"] = kVersion;
  text["signal"] = std::string(otap::Name(signal));
  const std::chrono::sys_time<std::chrono::seconds> time{
      std::chrono::seconds(seal.sealed_nanos / 1'000'000'000)};
  text["sealed_at"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", time);
  text["sealed_at_unix_nano"] = seal.sealed_nanos;
  text["rows"] = nlohmann::ordered_json::object();
  for (const auto& [partition, rows] : seal.partitions) {
    nlohmann::ordered_json& of_partition = text["rows"][partition];
    of_partition = nlohmann::ordered_json::object();
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (const int64_t count = rows[otap::TableIndex(table.kind)]; count > 0) {
        of_partition[std::string(table.directory)] = count;
      }
    }
  }
  return text.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<LevelSeal> ReadSeal(std::string_view text, otap::Signal signal) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("otap_seal") || !json["otap_seal"].is_number_integer()) {
    return Status::Invalid("found no JSON object with the key otap_seal");
  }
  if (json["otap_seal"].get<int64_t>() != kVersion) {
    return Status::Invalid(
        fmt::format("found version {}, expected {}", json["otap_seal"].get<int64_t>(), kVersion));
  }
  const auto of = json.find("signal");
  if (of == json.end() || !of->is_string() || of->get<std::string>() != otap::Name(signal)) {
    return Status::Invalid(fmt::format("expected the signal {}", otap::Name(signal)));
  }
  LevelSeal seal;
  const auto sealed = json.find("sealed_at_unix_nano");
  const auto rows = json.find("rows");
  if (sealed == json.end() || !sealed->is_number_integer() || rows == json.end() ||
      !rows->is_object()) {
    return Status::Invalid("expected the keys sealed_at_unix_nano and rows");
  }
  seal.sealed_nanos = sealed->get<int64_t>();
  for (const auto& [partition, tables] : rows->items()) {
    if (!tables.is_object()) {
      return Status::Invalid(
          fmt::format("rows: found '{}' without a map of tables", PrintableText(partition)));
    }
    TableRows& counts = seal.partitions[partition];
    for (const auto& [name, count] : tables.items()) {
      const otap::TableInfo* const table = otap::FindTable(name);
      if (table == nullptr || !table->has_signal(signal) || !count.is_number_integer() ||
          count.get<int64_t>() < 0) {
        return Status::Invalid(
            fmt::format("rows: found '{}': {}, expected a table of {} and a number of rows",
                        PrintableText(name), PrintableText(count.dump()), otap::Name(signal)));
      }
      counts[otap::TableIndex(table->kind)] = count.get<int64_t>();
    }
  }
  return seal;
}

Result<LevelSeal> ReadSealFile(storage::Store& store, const std::string& base,
                               const SealEntry& entry, std::vector<Status>* errors) {
  const auto read = [&](const std::string& path) -> Result<LevelSeal> {
    ARROW_ASSIGN_OR_RAISE(const auto file, store.OpenFile(FullPath(base, path)));
    ARROW_ASSIGN_OR_RAISE(const int64_t size_bytes, file->GetSize());
    if (size_bytes > kMostSealBytes) {
      return Status::Invalid(
          fmt::format("found {} bytes, expected at most {}", size_bytes, kMostSealBytes));
    }
    ARROW_ASSIGN_OR_RAISE(const auto bytes, file->ReadAt(0, size_bytes));
    return ReadSeal(std::string_view(*bytes), entry.signal);
  };
  Result<LevelSeal> seal = read(entry.path);
  const std::string* path = &entry.path;
  for (size_t i = 0; !seal.ok() && i <= entry.older.size(); ++i) {
    errors->push_back(
        MakeError(ErrorKind::kFileDiscovery,
                  fmt::format("the seal cannot be read: {}", seal.status().message()),
                  {.partition = entry.level,
                   .table = std::string(otap::GetTable(otap::RootTable(entry.signal)).directory),
                   .file = *path}));
    if (i < entry.older.size()) {
      path = &entry.older[i];
      seal = read(*path);
    }
  }
  return seal;
}

void AddSealedRows(otap::Signal signal, const PartitionListing& listing,
                   const PartitionFiles& files, TableRows* rows) {
  const bool has_records = !listing.tables[otap::TableIndex(otap::RootTable(signal))].empty();
  // What a writer left that ended before its set was whole is taken away by the next one.
  std::set<std::string_view> sets;
  for (const FileSummaryPtr& file : files.of(otap::RootTable(signal))) {
    sets.insert(file->file_set);
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (!table.has_signal(signal) || (IsShared(table) && !has_records)) {
      continue;
    }
    for (const FileSummaryPtr& file : files.of(table.kind)) {
      if (!sets.contains("") && !file->file_set.empty() && !sets.contains(file->file_set)) {
        continue;
      }
      (*rows)[otap::TableIndex(table.kind)] += file->num_rows();
    }
  }
}

}  // namespace df::lake
