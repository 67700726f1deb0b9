#include "lake/catalog.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/directory.h"

namespace df::lake {
namespace {

constexpr int kMaxDepth = 16;

std::string_view BaseName(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

/// Walks one table folder.
class TableWalk {
 public:
  TableWalk(arrow::fs::FileSystem& file_system, const std::string& base, otap::TableKind kind,
            std::map<std::string, PartitionListing>* partitions, LakeListing* listing)
      : file_system_(file_system),
        base_(base),
        kind_(kind),
        partitions_(partitions),
        listing_(listing) {}

  /// Tells whether there are directories whose files are not listed.
  bool is_incomplete() const { return is_incomplete_; }

  /// Names the format of a table whose files are valid only when a log says so, or returns "".
  std::string_view TableFormat(const std::vector<DirectoryEntry>& entries,
                               const std::string& directory) const {
    for (const DirectoryEntry& entry : entries) {
      if (entry.name == "_delta_log") {
        return "Delta";
      }
      if (entry.name == ".hoodie") {
        return "Hudi";
      }
      if (entry.name == "metadata" && entry.is_directory) {
        const auto inner = ListDirectory(file_system_, FullPath(base_, directory + "/metadata"));
        if (inner.ok() && std::any_of(inner->begin(), inner->end(), [](const DirectoryEntry& file) {
              return file.name.ends_with(".metadata.json");
            })) {
          return "Iceberg";
        }
      }
    }
    return "";
  }

  void Walk(const std::string& directory, const std::string& partition, int depth) {
    auto fail = [&](ErrorKind kind, std::string message) {
      listing_->problems.push_back(MakeError(kind, std::move(message),
                                             {.partition = partition,
                                              .table = std::string(otap::GetTable(kind_).directory),
                                              .file = directory}));
    };
    if (depth > kMaxDepth) {
      fail(ErrorKind::kFileDiscovery,
           fmt::format("directories are nested deeper than {}", kMaxDepth));
      return;
    }
    auto entries = ListDirectory(file_system_, FullPath(base_, directory));
    if (!entries.ok()) {
      is_incomplete_ = true;
      fail(ErrorKind::kFileDiscovery,
           fmt::format("the directory cannot be listed: {}", entries.status().message()));
      return;
    }
    if (const std::string_view format = TableFormat(*entries, directory); !format.empty()) {
      is_incomplete_ = true;
      fail(ErrorKind::kFileDiscovery,
           fmt::format("which of the files are valid only the log of a {} table says, which is not "
                       "read: the directory is left out",
                       format));
      return;
    }
    PartitionListing* listed = nullptr;
    for (const DirectoryEntry& entry : *entries) {
      const std::string& name = entry.name;
      if (entry.is_directory) {
        const std::string path = directory + "/" + name;
        if (name.find('=') == std::string::npos && (name.front() == '.' || name.front() == '_')) {
          continue;
        }
        const std::string inner = partition.empty() ? name : partition + "/" + name;
        const size_t equals = name.find('=');
        const std::string value = equals == std::string::npos ? name : name.substr(equals + 1);
        if (value.empty() || value == "__HIVE_DEFAULT_PARTITION__") {
          listing_->problems.push_back(
              MakeError(ErrorKind::kInvalidPartition,
                        fmt::format("found partition value '{}', expected an id", value),
                        {.partition = inner,
                         .table = std::string(otap::GetTable(kind_).directory),
                         .file = path}));
          continue;
        }
        Walk(path, inner, depth + 1);
      } else if (name.ends_with(".parquet") && name.front() != '.' && name.front() != '_') {
        if (listed == nullptr) {
          listed = &(*partitions_)[partition];
          listed->partition = partition;
        }
        listed->tables[otap::TableIndex(kind_)].push_back({.path = directory + "/" + name,
                                                           .size_bytes = entry.size_bytes,
                                                           .modified_nanos = entry.modified_nanos});
        ++listing_->num_files;
      }
    }
  }

 private:
  arrow::fs::FileSystem& file_system_;
  const std::string& base_;
  otap::TableKind kind_;
  std::map<std::string, PartitionListing>* partitions_;
  LakeListing* listing_;
  bool is_incomplete_ = false;
};

/// Names partitions that differ in letter case only: their tables may have been meant to join.
void CheckLetterCase(LakeListing* listing) {
  std::map<std::string, std::string> seen;
  for (const PartitionListing& partition : listing->partitions) {
    std::string lower = partition.partition;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const auto [entry, is_new] = seen.emplace(std::move(lower), partition.partition);
    if (!is_new) {
      listing->problems.push_back(
          MakeError(ErrorKind::kInvalidPartition,
                    fmt::format("differs from '{}' in letter case only; the two are replayed apart",
                                entry->second),
                    {.partition = partition.partition}));
    }
  }
}

/// Smallest id of a file by its statistics; files that do not say come last among equals.
uint32_t FirstId(const FileSummary& file) {
  uint32_t first = UINT32_MAX;
  for (const RowGroupSummary& group : file.row_groups) {
    if (group.ids.has_value()) {
      first = std::min(first, group.ids->min);
    }
  }
  return first;
}

}  // namespace

int64_t NameMillis(std::string_view path) {
  std::string_view name = BaseName(path);
  constexpr std::string_view kPrefix = "part-";
  int64_t millis = 0;
  if (name.starts_with(kPrefix)) {
    name.remove_prefix(kPrefix.size());
    std::from_chars(name.data(), name.data() + name.size(), millis);
  }
  return millis;
}

Result<LakeListing> ListLake(arrow::fs::FileSystem& file_system, const std::string& base,
                             const std::vector<otap::Signal>& signals) {
  LakeListing listing;
  auto entries = ListDirectory(file_system, base);
  if (!entries.ok()) {
    // Whoever waits for a base to appear lists again anyhow; for others one that is not there is a
    // name written wrongly, which does not pass.
    const auto found = file_system.GetFileInfo(base);
    const bool is_there = !found.ok() || found->type() != arrow::fs::FileType::NotFound;
    return WithContext(entries.status(), ErrorKind::kFileDiscovery, {.file = base}, is_there);
  }
  std::map<std::string, PartitionListing> partitions;
  std::vector<Status> ignored;
  std::array<bool, otap::kTableCount> is_incomplete{};
  std::sort(entries->begin(), entries->end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  for (const DirectoryEntry& entry : *entries) {
    const std::string& name = entry.name;
    if (entry.is_directory && name == "_delta_log") {
      listing.problems.push_back(
          MakeError(ErrorKind::kFileDiscovery,
                    "the base is a Delta table, not a folder of tables: nothing is read",
                    {.partition = "", .table = "", .file = name}));
      return listing;
    }
    if (!entry.is_directory || name.front() == '.' || name.front() == '_') {
      continue;
    }
    const otap::TableInfo* table = otap::FindTable(name);
    if (table == nullptr) {
      ignored.push_back(MakeError(ErrorKind::kFileDiscovery,
                                  "the directory is none of the 27 tables and is ignored",
                                  {.file = name}));
      continue;
    }
    listing.has_table_folders = true;
    const bool is_wanted = std::any_of(signals.begin(), signals.end(), [&](otap::Signal signal) {
      return table->has_signal(signal);
    });
    if (table->kind == otap::TableKind::kMultivariateMetrics) {
      if (is_wanted) {
        listing.problems.push_back(
            MakeError(ErrorKind::kFileDiscovery,
                      "the model reserves this table and gives it no columns: it is not read",
                      {.partition = "", .table = name, .file = name}));
      }
      continue;
    }
    // Inference of resources looks at the ids of every root table, whatever is replayed.
    if (is_wanted || table->is_root()) {
      TableWalk walk(file_system, base, table->kind, &partitions, &listing);
      walk.Walk(name, "", 0);
      is_incomplete[otap::TableIndex(table->kind)] = walk.is_incomplete();
    }
  }
  if (listing.has_table_folders) {  // else this is another folder, and they are not worth a line
    std::move(ignored.begin(), ignored.end(), std::back_inserter(listing.problems));
  }
  for (auto& [name, partition] : partitions) {
    partition.is_incomplete = is_incomplete;
    for (auto& files : partition.tables) {
      std::sort(files.begin(), files.end(),
                [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
    }
    listing.partitions.push_back(std::move(partition));
  }
  CheckLetterCase(&listing);
  return listing;
}

void SortFiles(PartitionFiles* files) {
  for (auto& table : files->tables) {
    std::stable_sort(table.begin(), table.end(),
                     [](const FileSummaryPtr& a, const FileSummaryPtr& b) {
                       return std::tuple(NameMillis(a->entry.path), FirstId(*a), a->entry.path) <
                              std::tuple(NameMillis(b->entry.path), FirstId(*b), b->entry.path);
                     });
  }
}

PartitionFiles LoadPartition(arrow::fs::FileSystem& file_system, const std::string& base,
                             const PartitionListing& listing, ReadReport* report) {
  PartitionFiles files;
  files.partition = listing.partition;
  files.has_unreadable = listing.is_incomplete;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : listing.tables[otap::TableIndex(table.kind)]) {
      auto summary = Summarise(file_system, base, entry, table.kind, listing.partition);
      if (!summary.ok()) {
        report->Add(summary.status());
        ++report->files_failed;
        files.has_unreadable[otap::TableIndex(table.kind)] = true;
        continue;
      }
      ReportLayout(**summary, report);
      files.of(table.kind).push_back(std::move(*summary));
    }
  }
  SortFiles(&files);
  return files;
}

}  // namespace df::lake
