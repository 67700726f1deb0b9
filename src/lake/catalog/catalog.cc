#include "lake/catalog/catalog.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cstring>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/compactions.h"
#include "lake/catalog/copied_files.h"
#include "lake/catalog/footer_announcer.h"
#include "lake/catalog/level_seal.h"
#include "lake/catalog/table_walk.h"
#include "lake/catalog/time_levels.h"

namespace df::lake {
namespace {

using storage::DirectoryEntry;
using storage::DirectoryListing;

/// From how many folders of tables on they are walked in several threads: a thread costs as much as
/// some ten of them.
constexpr size_t kFoldersOfAThread = 128;

std::string_view BaseName(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

bool IsWanted(const otap::TableInfo& table, const std::vector<otap::Signal>& signals) {
  return std::any_of(signals.begin(), signals.end(),
                     [&](otap::Signal signal) { return table.has_signal(signal); });
}

/// Inference of resources looks at the ids of every root table, whatever is replayed.
bool IsListed(const otap::TableInfo& table, const std::vector<otap::Signal>& signals) {
  return table.kind != otap::TableKind::kMultivariateMetrics &&
         (table.is_root() || IsWanted(table, signals));
}

/// What a folder of a table says of the folders of times in it.
enum class LevelTrust : uint8_t { kNoLevels, kMarked, kUnmarked };

LevelTrust TrustOf(const std::vector<DirectoryEntry>& entries) {
  bool has_days = false;
  for (const DirectoryEntry& entry : entries) {
    if (entry.name == kTimeLevelsMarker) {
      return LevelTrust::kMarked;
    }
    has_days = has_days || DayOfFolder(entry.name).has_value();
  }
  return has_days ? LevelTrust::kUnmarked : LevelTrust::kNoLevels;
}

/// A table folder that is listed.
struct TableFolder {
  otap::TableKind kind;
  Result<DirectoryListing> top;
  TableListing listing;
};

/// Tells whether the folders of times of all these tables mean what their names say. Names those
/// that do not say so. A folder that cannot be listed is named by its walk.
bool TrustsLevels(const std::vector<TableFolder>& folders, LakeListing* listing) {
  std::string_view unmarked;
  bool is_marked = false;
  for (const TableFolder& folder : folders) {
    const LevelTrust trust = folder.top.ok() ? TrustOf(folder.top->entries) : LevelTrust::kUnmarked;
    is_marked = is_marked || trust == LevelTrust::kMarked;
    unmarked = trust == LevelTrust::kUnmarked ? otap::GetTable(folder.kind).directory : unmarked;
  }
  if (is_marked && !unmarked.empty()) {
    listing->notices.push_back(MakeError(
        ErrorKind::kFileDiscovery,
        fmt::format("folders date=.. are not passed over by their times: nothing says what they "
                    "mean here ({} is missing)",
                    kTimeLevelsMarker),
        {.table = std::string(unmarked), .file = std::string(unmarked)}));
  }
  return is_marked && unmarked.empty();
}

/// Calls `work` with each number below `count` once, in this thread and in others.
void ForEachAtOnce(size_t count, size_t num_threads, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  const auto take = [&] {
    for (size_t i = next++; i < count; i = next++) {
      work(i);
    }
  };
  std::vector<std::future<void>> others;
  try {
    while (others.size() + 1 < num_threads) {
      others.push_back(std::async(std::launch::async, take));
    }
  } catch (const std::system_error&) {
    // The system gives no more threads. The ones that run do all the work.
  }
  take();
  for (std::future<void>& other : others) {
    other.get();
  }
}

/// Walks all folders: much of a walk is waiting for the system, and a lake has some tables.
void WalkTables(storage::DirectoryReader* directories, const std::string& base,
                const WalkBounds& bounds, const WantsTimes* times,
                std::vector<TableFolder>* folders) {
  size_t num_folders = 0;
  for (const TableFolder& folder : *folders) {
    num_folders += folder.top.ok() ? folder.top->entries.size() : 0;
  }
  const size_t num_threads =
      num_folders < kFoldersOfAThread
          ? 1
          : std::min<size_t>(folders->size(), std::thread::hardware_concurrency());
  ForEachAtOnce(folders->size(), num_threads, [&](size_t i) {
    TableFolder& folder = (*folders)[i];
    folder.listing =
        WalkTable(directories, base, folder.kind, std::move(folder.top), bounds, times);
  });
}

/// Takes out files that do not count, since others take their place, or have not yet.
void Hide(const Compactions& compactions, TableListing* listing) {
  if (!compactions.hides_any()) {
    return;
  }
  for (auto& [partition, files] : listing->partitions) {
    listing->num_files -= static_cast<int64_t>(std::erase_if(
        files, [&](const FileEntry& entry) { return compactions.Hides(entry.path); }));
  }
  for (auto& [level, seal] : listing->seals) {
    std::erase_if(seal.older, [&](const std::string& path) { return compactions.Hides(path); });
    if (compactions.Hides(seal.path)) {
      seal.path = seal.older.empty() ? "" : seal.older.front();
      seal.millis = SealMillis(BaseName(seal.path));
      seal.older.erase(seal.older.begin(), seal.older.begin() + (seal.path.empty() ? 0 : 1));
    }
  }
  std::erase_if(listing->seals, [](const auto& level) { return level.second.path.empty(); });
}

/// Adds what was found in a folder to the listing of the lake.
void Take(TableFolder folder, std::map<std::string, PartitionListing>* partitions,
          LakeListing* listing) {
  for (auto& [partition, files] : folder.listing.partitions) {
    PartitionListing& listed = (*partitions)[partition];
    listed.partition = partition;
    listed.tables[otap::TableIndex(folder.kind)] = std::move(files);
  }
  for (auto& [level, seal] : folder.listing.seals) {
    listing->seals.push_back(std::move(seal));
  }
  std::move(folder.listing.problems.begin(), folder.listing.problems.end(),
            std::back_inserter(listing->problems));
  std::move(folder.listing.notices.begin(), folder.listing.notices.end(),
            std::back_inserter(listing->notices));
  listing->is_plain = listing->is_plain && folder.listing.is_plain;
  listing->num_files += folder.listing.num_files;
  listing->num_folders_skipped += folder.listing.num_folders_skipped;
}

/// Lists the folders of tables that are in a base, and puts all of them among the bounds. Returns
/// false where the base is no lake and nothing of it may be read.
bool ListTables(storage::DirectoryReader* directories, const std::string& base,
                const std::vector<DirectoryEntry>& entries,
                const std::vector<otap::Signal>& signals, WalkBounds* bounds,
                std::vector<TableFolder>* folders, LakeListing* listing) {
  std::vector<Status> ignored;
  for (const DirectoryEntry& entry : entries) {
    const std::string& name = entry.name;
    const otap::TableInfo* const table = entry.is_directory ? otap::FindTable(name) : nullptr;
    if (table != nullptr) {
      if (const auto number = directories->NumberOf(FullPath(base, name)); number.is_known()) {
        bounds->emplace(number, name);
      }
    }
    if (entry.is_directory && name == "_delta_log") {
      listing->problems.push_back(
          MakeError(ErrorKind::kFileDiscovery,
                    "the base is a Delta table, not a folder of tables: nothing is read",
                    {.partition = "", .table = "", .file = name}));
      return false;
    }
    if (IsUnwalkable(name) && name.ends_with(".parquet")) {
      listing->problems.push_back(
          MakeError(ErrorKind::kFileDiscovery, std::string(kUnwalkable), {.file = name}));
      continue;
    }
    if (name.front() == '.' || name.front() == '_' || !entry.is_directory) {
      if (entry.error != 0 && otap::FindTable(name) != nullptr) {
        listing->problems.push_back(MakeError(
            ErrorKind::kFileDiscovery,
            fmt::format("cannot be looked at: {}", std::strerror(entry.error)), {.file = name}));
      }
      continue;
    }
    if (table == nullptr) {
      ignored.push_back(MakeError(
          ErrorKind::kFileDiscovery,
          "the directory is not named as a table of the model and is ignored", {.file = name}));
      continue;
    }
    listing->has_table_folders = true;
    if (table->kind == otap::TableKind::kMultivariateMetrics && IsWanted(*table, signals)) {
      listing->problems.push_back(
          MakeError(ErrorKind::kFileDiscovery,
                    "the model reserves this table and gives it no columns: it is not read",
                    {.partition = "", .table = name, .file = name}));
    }
    if (IsListed(*table, signals)) {
      folders->push_back(
          {.kind = table->kind, .top = directories->List(FullPath(base, name)), .listing = {}});
    }
  }
  if (listing->has_table_folders) {  // else this is another folder, and they are not worth a line
    std::move(ignored.begin(), ignored.end(), std::back_inserter(listing->problems));
  }
  return true;
}

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

int64_t SizeOf(const PartitionListing& listing) {
  int64_t size_bytes = 0;
  for (const auto& table : listing.tables) {
    for (const FileEntry& entry : table) {
      size_bytes += entry.size_bytes;
    }
  }
  return size_bytes;
}

int64_t NameMillis(std::string_view path) {
  std::string_view name = BaseName(path);
  constexpr std::string_view kPrefix = "part-";
  int64_t millis = 0;
  if (name.starts_with(kPrefix)) {
    name.remove_prefix(kPrefix.size());
    if (name.size() > 1 && name[0] == '0' && name[1] == '0') {
      return 0;  // "part-00001-..": the number of a task, which begins anew with every commit
    }
    std::from_chars(name.data(), name.data() + name.size(), millis);
  }
  return millis;
}

namespace {

/// Looks at a base once. `top` is the listing of it.
Result<LakeListing> ListOnce(storage::DirectoryReader* directories, const std::string& base,
                             DirectoryListing top, const Compactions& compactions,
                             const std::vector<otap::Signal>& signals,
                             const WantsTimes& wants_times) {
  LakeListing listing;
  std::sort(top.entries.begin(), top.entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  // What no walk enters: a link that leads there would read files of one table as another's.
  WalkBounds bounds;
  for (const storage::FileNumber& number : directories->NumbersUpFrom(base)) {
    bounds.emplace(number, "the base or a folder above it");
  }
  std::vector<TableFolder> folders;
  if (!ListTables(directories, base, top.entries, signals, &bounds, &folders, &listing)) {
    return listing;
  }
  const bool skips_times = wants_times && TrustsLevels(folders, &listing);
  WalkTables(directories, base, bounds, skips_times ? &wants_times : nullptr, &folders);
  if (std::any_of(folders.begin(), folders.end(),
                  [](const TableFolder& folder) { return folder.listing.has_linked_times; })) {
    // What a link leads to is of any time. Passed over in some tables, and not in those that have
    // links, an hour would seem to lack children.
    for (TableFolder& folder : folders) {
      folder.top =
          directories->List(FullPath(base, std::string(otap::GetTable(folder.kind).directory)));
    }
    WalkTables(directories, base, bounds, nullptr, &folders);
  }
  listing.passes_over_times = skips_times;
  std::map<std::string, PartitionListing> partitions;
  std::array<bool, otap::kTableCount> is_incomplete{};
  for (TableFolder& folder : folders) {
    is_incomplete[otap::TableIndex(folder.kind)] = folder.listing.is_incomplete;
    Hide(compactions, &folder.listing);
    Take(std::move(folder), &partitions, &listing);
  }
  for (auto& [name, partition] : partitions) {
    partition.is_incomplete = is_incomplete;
    if (std::any_of(partition.tables.begin(), partition.tables.end(),
                    [](const auto& files) { return !files.empty(); })) {
      listing.partitions.push_back(std::move(partition));
    }
  }
  CheckLetterCase(&listing);
  return listing;
}

bool HasCompactions(const DirectoryListing& top) {
  return std::any_of(top.entries.begin(), top.entries.end(), [](const DirectoryEntry& entry) {
    return entry.is_directory && entry.name == kCompactionsFolder;
  });
}

}  // namespace

Result<LakeListing> ListLake(storage::Store& store, const std::string& base,
                             const std::vector<otap::Signal>& signals,
                             const WantsTimes& wants_times, storage::FolderWatch* watch) {
  // Files that are moved and removed while a tree is walked would be seen twice, or not at all: the
  // walk counts if nothing has begun, gone on or ended meanwhile.
  constexpr int kMostLooks = 5;
  Status last = MakeError(ErrorKind::kFileDiscovery,
                          "files were replaced by a compaction during each look at it",
                          {.file = store.Describe(base)}, /*retryable=*/true);
  for (int look = 0; look < kMostLooks; ++look) {
    auto directories = store.ReadDirectories(base);
    if (directories.ok() && watch != nullptr) {
      directories = std::make_unique<storage::WatchedDirectories>(*std::move(directories), watch);
    }
    auto top = directories.ok() ? (*directories)->List(base) : directories.status();
    if (!top.ok()) {
      // Whoever waits for a base to appear lists again anyhow; for others one that is not there is
      // a name written wrongly, which does not pass.
      const auto exists = store.Exists(base);
      return WithContext(top.status(), ErrorKind::kFileDiscovery, {.file = store.Describe(base)},
                         exists.ValueOr(true));
    }
    Compactions compactions;
    if (HasCompactions(*top)) {
      auto read = Compactions::Read(store, directories->get(), base);
      if (!read.ok() && IsRetryable(read.status())) {
        last = read.status();
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(compactions, std::move(read));
    }
    ARROW_ASSIGN_OR_RAISE(LakeListing listing, ListOnce(directories->get(), base, *std::move(top),
                                                        compactions, signals, wants_times));
    listing.compactions.assign(compactions.names().begin(), compactions.names().end());
    if (!store.is_local()) {
      return listing;  // nothing is moved there
    }
    const auto names = ListCompactions(directories->get(), base);
    if (names.ok() && *names == compactions.names()) {
      return listing;
    }
    if (!names.ok()) {
      last = WithContext(names.status(), ErrorKind::kFileDiscovery,
                         {.file = std::string(kCompactionsFolder)}, /*retryable=*/true);
    }
  }
  return last;
}

std::vector<otap::TableKind> ListedTables(const std::vector<otap::Signal>& signals) {
  std::vector<otap::TableKind> tables;
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (IsListed(table, signals)) {
      tables.push_back(table.kind);
    }
  }
  return tables;
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

PartitionFiles LoadPartition(storage::Store& store, const std::string& base,
                             const PartitionListing& listing, ReadReport* report) {
  PartitionFiles files;
  files.partition = listing.partition;
  files.has_unreadable = listing.is_incomplete;
  FooterAnnouncer announcer(&store, base, listing, [](const FileEntry&) { return true; });
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : listing.tables[otap::TableIndex(table.kind)]) {
      announcer.Next(entry);
      auto summary = Summarise(store, base, entry, table.kind, listing.partition);
      if (!summary.ok()) {
        report->AddUnlisted(summary.status());
        files.has_unreadable[otap::TableIndex(table.kind)] = true;
        continue;
      }
      ReportLayout(**summary, report);
      files.of(table.kind).push_back(std::move(*summary));
    }
  }
  SortFiles(&files);
  for (const CopiedFile& copy : TakeOutCopies(store, base, &files)) {
    report->AddNotice(copy.notice);
  }
  return files;
}

}  // namespace df::lake
