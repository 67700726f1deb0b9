#include "lake/lists/listed_lake.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace df::lake {
namespace {

/// Lists may name any number of files; so many levels no writer has.
constexpr size_t kMostLevels = 16;

}  // namespace

Result<std::unique_ptr<ListedLake>> ListedLake::Open(storage::Store* store, std::string base,
                                                     const std::vector<otap::Signal>& signals) {
  auto lake = std::unique_ptr<ListedLake>(new ListedLake(store, std::move(base), signals));
  auto directories = store->ReadDirectories(lake->base_);
  if (!directories.ok()) {
    const auto exists = store->Exists(lake->base_);
    return WithContext(directories.status(), ErrorKind::kFileDiscovery,
                       {.file = store->Describe(lake->base_)}, exists.ValueOr(true));
  }
  lake->directories_ = std::move(*directories);
  return lake;
}

bool ListedLake::IsNeeded(otap::TableKind kind) const {
  const otap::TableInfo& table = otap::GetTable(kind);
  return kind != otap::TableKind::kMultivariateMetrics &&
         (table.is_root() || std::any_of(signals_.begin(), signals_.end(),
                                         [&](otap::Signal s) { return table.has_signal(s); }));
}

Result<storage::DirectoryEntry> ListedLake::Find(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash);
  const auto [found, is_new] = folders_.try_emplace(folder);
  if (is_new) {
    auto entries = ListFolder(folder);
    found->second.status = entries.status();
    for (storage::DirectoryEntry& entry :
         entries.ok() ? *entries : decltype(entries)::ValueType()) {
      std::string name = entry.name;
      found->second.entries.emplace(std::move(name), std::move(entry));
    }
  }
  const auto entry = found->second.entries.find(path.substr(slash + 1));
  if (entry == found->second.entries.end()) {
    return found->second.status.ok()
               ? Status::IOError("the file is not there")
               : Status::IOError(fmt::format("the folder of the file cannot be listed: {}",
                                             found->second.status.message()));
  }
  if (entry->second.error != 0) {
    return Status::IOError(
        fmt::format("the file cannot be looked at: {}", std::strerror(entry->second.error)));
  }
  if (entry->second.is_directory) {
    return Status::IOError("found a folder, expected a file");
  }
  return entry->second;
}

Status ListedLake::CheckPartition(const ListedFile& file, const Location& location) const {
  std::string_view rest = file.partition;
  for (size_t level = 0; !rest.empty(); ++level) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    const bool is_last = part.size() == rest.size();
    rest.remove_prefix(is_last ? rest.size() : part.size() + 1);
    const std::string_view value = part.substr(std::min(part.find('=') + 1, part.size()));
    if (value.empty() || value == "__HIVE_DEFAULT_PARTITION__" || part == "." || part == ".." ||
        (!is_last && rest.empty()) || level >= kMostLevels) {
      return MakeError(ErrorKind::kInvalidPartition,
                       fmt::format("{}: found partition '{}', expected key=value levels with a "
                                   "value each",
                                   file.named_at, PrintableText(file.partition)),
                       location);
    }
  }
  return Status::OK();
}

/// Whether a file is listed already: the same path, or another name of the file in its table.
bool ListedLake::IsAnotherName(const ListedFile& file, const storage::DirectoryEntry& entry,
                               const Location& location) {
  const auto [named, is_new] = named_.emplace(file.path, file.named_at);
  if (!is_new) {
    AddProblem(MakeError(ErrorKind::kFileDiscovery,
                         fmt::format("{}: the file is named at {} already: it is read once",
                                     file.named_at, named->second),
                         location));
    return true;
  }
  if (!entry.number.is_known() || (!entry.is_link && !entry.has_names)) {
    return false;
  }
  const auto [known, is_first] = numbers_.emplace(std::pair(file.table, entry.number), file.path);
  if (!is_first) {
    AddNotice(MakeError(ErrorKind::kFileDiscovery,
                        fmt::format("another name of {}, which is read once", known->second),
                        location));
  }
  return !is_first;
}

void ListedLake::Add(const ListedFile& file) {
  const Location location{.partition = file.partition,
                          .table = std::string(otap::GetTable(file.table).directory),
                          .file = file.path};
  const auto refuse = [&](Status status) {
    AddMissing(file.table, &file.partition);
    AddProblem(std::move(status));
  };
  if (const Status status = CheckPartition(file, location); !status.ok()) {
    AddProblem(status);
    AddMissing(file.table);
    return;
  }
  const auto entry = Find(file.path);
  if (!entry.ok()) {
    refuse(MakeError(ErrorKind::kFileDiscovery,
                     fmt::format("{}: {}", file.named_at, entry.status().message()), location));
    return;
  }
  if (file.size_bytes.has_value() && *file.size_bytes != entry->size_bytes) {
    refuse(MakeError(ErrorKind::kFileDiscovery,
                     fmt::format("{}: found a file of {} bytes, expected {}: it is not read",
                                 file.named_at, entry->size_bytes, *file.size_bytes),
                     location));
    return;
  }
  if (IsAnotherName(file, *entry, location)) {
    return;
  }
  PartitionListing& partition = partitions_[file.partition];
  partition.partition = file.partition;
  partition.tables[otap::TableIndex(file.table)].push_back({.path = file.path,
                                                            .size_bytes = entry->size_bytes,
                                                            .modified_nanos = entry->modified_nanos,
                                                            .changed_nanos = entry->changed_nanos,
                                                            .number = entry->number,
                                                            .num_rows = file.num_rows});
}

void ListedLake::AddMissing(otap::TableKind table, const std::string* partition) {
  if (partition == nullptr) {
    is_incomplete_[otap::TableIndex(table)] = true;
    return;
  }
  PartitionListing& listed = partitions_[*partition];
  listed.partition = *partition;
  listed.is_incomplete[otap::TableIndex(table)] = true;
}

void ListedLake::Refuse(otap::TableKind table, Status status) {
  if (std::none_of(refusals_.begin(), refusals_.end(),
                   [&](const Refusal& known) { return known.table == table; })) {
    refusals_.push_back({table, std::move(status)});
  }
}

/// Whether a table is one of a signal of which every table is read.
bool ListedLake::IsReplayed(const otap::TableInfo& table,
                            const std::array<bool, otap::kTableCount>& is_refused) const {
  return std::any_of(signals_.begin(), signals_.end(), [&](otap::Signal signal) {
    return table.has_signal(signal) &&
           std::none_of(otap::AllTables().begin(), otap::AllTables().end(),
                        [&](const otap::TableInfo& other) {
                          return other.has_signal(signal) &&
                                 is_refused[otap::TableIndex(other.kind)];
                        });
  });
}

LakeListing ListedLake::Finish() {
  std::array<bool, otap::kTableCount> is_refused{};
  for (const Refusal& refusal : refusals_) {
    const otap::TableInfo& table = otap::GetTable(refusal.table);
    is_refused[otap::TableIndex(refusal.table)] = true;
    std::vector<std::string_view> names;
    for (const otap::Signal signal : signals_) {
      if (table.has_signal(signal)) {
        names.push_back(otap::Name(signal));
      }
    }
    listing_.problems.push_back(
        MakeError(KindOf(refusal.status),
                  names.empty() ? refusal.status.message()
                                : fmt::format("{}: nothing is read of {}", refusal.status.message(),
                                              fmt::join(names, ", ")),
                  {.table = std::string(table.directory)}, IsRetryable(refusal.status)));
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    const bool is_wanted = std::any_of(signals_.begin(), signals_.end(),
                                       [&](otap::Signal s) { return table.has_signal(s); });
    if (is_refused[otap::TableIndex(table.kind)] || (is_wanted && !IsReplayed(table, is_refused))) {
      is_incomplete_[otap::TableIndex(table.kind)] = true;
      for (auto& [name, partition] : partitions_) {
        partition.tables[otap::TableIndex(table.kind)].clear();
      }
    }
  }
  for (auto& [name, partition] : partitions_) {
    bool is_empty = true;
    for (const otap::TableInfo& table : otap::AllTables()) {
      const size_t index = otap::TableIndex(table.kind);
      auto& files = partition.tables[index];
      partition.is_incomplete[index] = partition.is_incomplete[index] || is_incomplete_[index];
      is_empty = is_empty && files.empty();
      listing_.num_files += static_cast<int64_t>(files.size());
      std::sort(files.begin(), files.end(),
                [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
    }
    if (!is_empty) {
      listing_.partitions.push_back(std::move(partition));
    }
  }
  listing_.has_table_folders = true;
  return std::move(listing_);
}

}  // namespace df::lake
