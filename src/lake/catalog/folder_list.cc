#include "lake/catalog/folder_list.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "lake/catalog/compactions.h"
#include "lake/catalog/file_summary.h"
#include "lake/catalog/staged_records.h"
#include "lake/catalog/table_walk.h"

namespace df::lake {
namespace {

/// A folder below the base: of a table, and of a partition of it.
struct PartitionFolder {
  otap::TableKind table = otap::TableKind::kLogs;
  std::string partition;
};

/// Takes a path apart that a watch has told. Nothing for the base, and what is no table.
std::optional<PartitionFolder> FolderOf(std::string_view path, const std::string& base) {
  if (!path.starts_with(base)) {
    return std::nullopt;
  }
  path.remove_prefix(base.size());
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  const std::string_view name = path.substr(0, path.find('/'));
  const otap::TableInfo* const table = otap::FindTable(name);
  if (table == nullptr) {
    return std::nullopt;
  }
  path.remove_prefix(std::min(name.size() + 1, path.size()));
  return PartitionFolder{.table = table->kind, .partition = std::string(path)};
}

}  // namespace

Result<LakeListing> FolderList::List(const std::vector<otap::Signal>& signals) {
  if (watch_ != nullptr) {
    (void)watch_->Take();  // what has changed until now is listed
  }
  ARROW_ASSIGN_OR_RAISE(LakeListing listing,
                        ListLake(*store_, base_, signals, wants_times_, watch_.get()));
  if (store_->is_local()) {
    for (Status& staged : FindStaged(base_, signals)) {
      listing.problems.push_back(std::move(staged));
    }
  }
  if (watch_ == nullptr) {
    return listing;
  }
  is_plain_ = listing.is_plain;
  passes_over_times_ = listing.passes_over_times;
  compactions_ = {listing.compactions.begin(), listing.compactions.end()};
  has_open_compactions_ =
      std::any_of(compactions_.begin(), compactions_.end(), [](const std::string& name) {
        const auto parts = ParseCompactionName(name);
        return parts.has_value() && parts->stage != CompactionStage::kDone;
      });
  for (const std::string& gap : watch_->DescribeGaps()) {
    listing.notices.push_back(
        MakeError(ErrorKind::kFileDiscovery, "new files are found by polling only: " + gap));
  }
  if (!is_plain_) {
    listing.notices.push_back(
        MakeError(ErrorKind::kFileDiscovery,
                  "new files are found by polling only: the tree has links, files with several "
                  "names, or folders that cannot be read"));
  }
  return listing;
}

bool FolderList::AddChanged(storage::DirectoryReader* directories,
                            const storage::FolderChanges& changes,
                            const std::vector<otap::TableKind>& tables,
                            std::set<std::string>* partitions) {
  const auto is_listed = [&tables](otap::TableKind table) {
    return std::find(tables.begin(), tables.end(), table) != tables.end();
  };
  for (const std::string& path : changes.folders) {
    if (const auto folder = FolderOf(path, base_); folder.has_value() && is_listed(folder->table)) {
      partitions->insert(folder->partition);
    }
  }
  for (const std::string& path : changes.new_folders) {
    const auto folder = FolderOf(path, base_);
    if (!folder.has_value() || !is_listed(folder->table)) {
      continue;
    }
    if (folder->partition.empty() || passes_over_times_) {
      return false;
    }
    const TableListing found =
        WalkPartition(directories, base_, folder->table, folder->partition, /*is_deep=*/true);
    is_plain_ = is_plain_ && found.is_plain;
    for (const auto& [partition, files] : found.partitions) {
      partitions->insert(partition);
    }
  }
  return true;
}

Result<std::optional<LakeListing>> FolderList::ListChanged(
    const std::vector<otap::Signal>& signals, const std::set<std::string>& partitions) {
  if (watch_ == nullptr) {
    return LakeListing();
  }
  const storage::FolderChanges changes = watch_->Take();
  if (changes.has_lost_some) {
    return std::nullopt;
  }
  if (!is_plain_) {
    return LakeListing();
  }
  auto read = store_->ReadDirectories(base_);
  if (!read.ok()) {
    return std::nullopt;
  }
  storage::WatchedDirectories directories(*std::move(read), watch_.get());
  // As in ListLake: a look counts where no compaction has begun, gone on or ended meanwhile.
  const auto before = ListCompactions(&directories, base_);
  if (has_open_compactions_ || !before.ok() || *before != compactions_) {
    return std::nullopt;
  }
  const std::vector<otap::TableKind> tables = ListedTables(signals);
  std::set<std::string> changed = partitions;
  if (!AddChanged(&directories, changes, tables, &changed)) {
    return std::nullopt;
  }
  LakeListing listing;
  for (const std::string& partition : changed) {
    PartitionListing listed;
    listed.partition = partition;
    for (const otap::TableKind table : tables) {
      TableListing found = WalkPartition(&directories, base_, table, partition, /*is_deep=*/false);
      is_plain_ = is_plain_ && found.is_plain;
      listed.tables[otap::TableIndex(table)] = std::move(found.partitions[partition]);
      listing.num_files += found.num_files;
    }
    listing.partitions.push_back(std::move(listed));
  }
  const auto after = ListCompactions(&directories, base_);
  if (!after.ok() || *after != compactions_) {
    return std::nullopt;
  }
  if (!is_plain_) {
    return LakeListing();  // until everything is listed once more
  }
  listing.compactions.assign(compactions_.begin(), compactions_.end());
  return listing;
}

}  // namespace df::lake
