#include "lake/catalog/catalog.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/copied_files.h"
#include "lake/catalog/footer_announcer.h"
#include "lake/catalog/time_levels.h"

namespace df::lake {
namespace {

using storage::DirectoryEntry;
using storage::FileNumber;

constexpr int kMaxDepth = 16;

/// Names of objects may have parts that no directory has: "", "." and "..".
constexpr std::string_view kUnwalkable =
    "a part of the name is empty, '.' or '..': the object is not read";
bool IsUnwalkable(const std::string& name) { return name.find('/') != std::string::npos; }

std::string_view BaseName(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

using TimesWanted = std::function<bool(const EventTimeRange&)>;

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

/// Walks one table folder: real directories first, then what links lead to.
class TableWalk {
 public:
  /// `visited` are the directories that are not walked, by number. `wants_times` is null where no
  /// folder of times is passed over.
  TableWalk(storage::DirectoryReader* directories, const std::string& base, otap::TableKind kind,
            std::map<FileNumber, std::string> visited,
            std::map<std::string, PartitionListing>* partitions, LakeListing* listing,
            const TimesWanted* wants_times)
      : directories_(directories),
        base_(base),
        kind_(kind),
        visited_(std::move(visited)),
        partitions_(partitions),
        listing_(listing),
        wants_times_(wants_times) {}

  void Walk(const std::string& folder) {
    WalkDirectory({.path = folder, .partition = "", .number = {}, .depth = 0, .day = std::nullopt});
    while (!links_.empty()) {
      const Directory link = std::move(links_.front());
      links_.pop_front();
      Enter(link);
    }
  }

  /// Another name of a file may be in the listing.
  bool has_aliases() const { return has_aliases_; }
  const std::set<std::string>& links_to_files() const { return links_to_files_; }

  /// Tells whether there are directories whose files are not listed.
  bool is_incomplete() const { return is_incomplete_; }

 private:
  struct Directory {
    std::string path;
    std::string partition;
    FileNumber number;
    int depth = 0;
    std::optional<EventTimeRange> day;  ///< it is the folder of one
  };

  /// Returns the times of a folder in another one, where its name tells them.
  static std::optional<EventTimeRange> TimesOf(const Directory& outer, const std::string& name) {
    if (outer.depth == 0) {
      return DayOfFolder(name);
    }
    return outer.day.has_value() ? HourOfFolder(name, *outer.day) : std::nullopt;
  }

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
        const auto inner = directories_->List(FullPath(base_, directory + "/metadata"));
        if (inner.ok() && std::any_of(inner->begin(), inner->end(), [](const DirectoryEntry& file) {
              return file.name.ends_with(".metadata.json");
            })) {
          return "Iceberg";
        }
      }
    }
    return "";
  }

  Status Problem(ErrorKind kind, std::string message, const std::string& partition,
                 const std::string& path) const {
    return MakeError(kind, std::move(message),
                     {.partition = partition,
                      .table = std::string(otap::GetTable(kind_).directory),
                      .file = path});
  }

  void Enter(const Directory& directory) {
    if (directory.number.is_known()) {
      const auto [known, is_new] = visited_.emplace(directory.number, directory.path);
      if (!is_new) {
        listing_->notices.push_back(Problem(
            ErrorKind::kFileDiscovery,
            fmt::format("leads to {}, which is read once", known->second), "", directory.path));
        return;
      }
    }
    WalkDirectory(directory);
  }

  void WalkDirectory(const Directory& directory) {
    if (directory.depth > kMaxDepth) {
      listing_->problems.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  fmt::format("directories are nested deeper than {}", kMaxDepth),
                  directory.partition, directory.path));
      return;
    }
    auto entries = directories_->List(FullPath(base_, directory.path));
    if (!entries.ok()) {
      is_incomplete_ = true;
      listing_->problems.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  fmt::format("the directory cannot be listed: {}", entries.status().message()),
                  directory.partition, directory.path));
      return;
    }
    if (const std::string_view format = TableFormat(*entries, directory.path); !format.empty()) {
      is_incomplete_ = true;
      listing_->problems.push_back(Problem(
          ErrorKind::kFileDiscovery,
          fmt::format("which of the files are valid only the log of a {} table says, which is not "
                      "read: the directory is left out{}",
                      format, format == "Delta" ? "; catalog.files.delta reads it" : ""),
          directory.partition, directory.path));
      return;
    }
    PartitionListing* listed = nullptr;
    std::sort(entries->begin(), entries->end(),
              [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
    for (const DirectoryEntry& entry : *entries) {
      if (entry.error != 0) {
        AddUnknown(directory, entry);
      } else if (entry.is_directory) {
        AddDirectory(directory, entry);
      } else if (IsTableFile(entry.name)) {
        AddFile(directory, entry, &listed);
      }
    }
  }

  static bool IsTableFile(const std::string& name) {
    return name.ends_with(".parquet") && name.front() != '.' && name.front() != '_';
  }
  static bool IsSkipped(const std::string& name) {
    return name.find('=') == std::string::npos && (name.front() == '.' || name.front() == '_');
  }

  void AddUnknown(const Directory& directory, const DirectoryEntry& entry) {
    const bool is_unwalkable = IsUnwalkable(entry.name);
    if (is_unwalkable        ? !entry.name.ends_with(".parquet")
        : entry.is_directory ? IsSkipped(entry.name)
                             : !IsTableFile(entry.name)) {
      return;
    }
    if (is_unwalkable) {
      listing_->problems.push_back(Problem(ErrorKind::kFileDiscovery, std::string(kUnwalkable),
                                           directory.partition, directory.path + "/" + entry.name));
      is_incomplete_ = true;
      return;
    }
    listing_->problems.push_back(Problem(
        ErrorKind::kFileDiscovery,
        fmt::format("{}: {}", entry.is_link ? "the link leads nowhere" : "cannot be looked at",
                    std::strerror(entry.error)),
        directory.partition, directory.path + "/" + entry.name));
    is_incomplete_ = true;
  }

  void AddDirectory(const Directory& directory, const DirectoryEntry& entry) {
    const std::string& name = entry.name;
    if (IsSkipped(name)) {
      return;
    }
    Directory inner{.path = directory.path + "/" + name,
                    .partition = directory.partition,
                    .number = entry.number,
                    .depth = directory.depth + 1,
                    .day = std::nullopt};
    if (wants_times_ != nullptr && !entry.is_link) {
      if (const auto times = TimesOf(directory, name); times.has_value()) {
        if (!(*wants_times_)(*times)) {
          ++listing_->num_folders_skipped;
          return;
        }
        inner.day = directory.depth == 0 ? times : std::nullopt;
      }
    }
    const size_t equals = name.find('=');
    if (equals == std::string::npos && name.ends_with(".parquet")) {
      listing_->notices.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  "a folder named like a file: what is in it belongs to the folder above",
                  directory.partition, inner.path));
    } else {
      inner.partition =
          directory.partition.empty() ? name : fmt::format("{}/{}", directory.partition, name);
      const std::string value = equals == std::string::npos ? name : name.substr(equals + 1);
      if (value.empty() || value == "__HIVE_DEFAULT_PARTITION__") {
        listing_->problems.push_back(
            Problem(ErrorKind::kInvalidPartition,
                    fmt::format("found partition value '{}', expected an id", value),
                    inner.partition, inner.path));
        return;
      }
    }
    if (entry.is_link) {
      links_.push_back(std::move(inner));  // looked at when every real directory has been seen
    } else {
      Enter(inner);
    }
  }

  void AddFile(const Directory& directory, const DirectoryEntry& entry, PartitionListing** listed) {
    if (*listed == nullptr) {
      *listed = &(*partitions_)[directory.partition];
      (*listed)->partition = directory.partition;
    }
    (*listed)->tables[otap::TableIndex(kind_)].push_back({.path = directory.path + "/" + entry.name,
                                                          .size_bytes = entry.size_bytes,
                                                          .modified_nanos = entry.modified_nanos,
                                                          .changed_nanos = entry.changed_nanos,
                                                          .number = entry.number});
    ++listing_->num_files;
    if (entry.is_link) {
      links_to_files_.insert(directory.path + "/" + entry.name);
    }
    has_aliases_ = has_aliases_ || entry.is_link || entry.has_names;
  }

  storage::DirectoryReader* directories_;
  const std::string& base_;
  otap::TableKind kind_;
  std::map<FileNumber, std::string> visited_;
  std::deque<Directory> links_;
  std::set<std::string> links_to_files_;
  std::map<std::string, PartitionListing>* partitions_;
  LakeListing* listing_;
  const TimesWanted* wants_times_;
  bool has_aliases_ = false;
  bool is_incomplete_ = false;
};

/// Tells whether the folders of times of all these tables mean what their names say. Names those
/// that do not say so. A folder that cannot be listed is named by its walk.
bool TrustsLevels(storage::DirectoryReader* directories, const std::string& base,
                  const std::vector<const otap::TableInfo*>& tables, LakeListing* listing) {
  const otap::TableInfo* unmarked = nullptr;
  bool is_marked = false;
  for (const otap::TableInfo* table : tables) {
    const auto entries = directories->List(FullPath(base, std::string(table->directory)));
    const LevelTrust trust = entries.ok() ? TrustOf(*entries) : LevelTrust::kUnmarked;
    is_marked = is_marked || trust == LevelTrust::kMarked;
    unmarked = trust == LevelTrust::kUnmarked ? table : unmarked;
  }
  if (is_marked && unmarked != nullptr) {
    listing->notices.push_back(MakeError(
        ErrorKind::kFileDiscovery,
        fmt::format("folders date=.. are not passed over by their times: nothing says what they "
                    "mean here ({} is missing)",
                    kTimeLevelsMarker),
        {.table = std::string(unmarked->directory), .file = std::string(unmarked->directory)}));
  }
  return is_marked && unmarked == nullptr;
}

/// Leaves one name of each file of a table: the first that is no link. Names the others, once a
/// folder.
void LeaveOneName(otap::TableKind kind, const std::set<std::string>& links,
                  std::map<std::string, PartitionListing>* partitions, LakeListing* listing) {
  struct Name {
    FileNumber number;
    bool is_link;
    std::string_view path;
    auto operator<=>(const Name&) const = default;
  };
  std::vector<Name> names;
  for (const auto& [partition, listed] : *partitions) {
    for (const FileEntry& entry : listed.tables[otap::TableIndex(kind)]) {
      if (entry.number.is_known()) {
        names.push_back({entry.number, links.contains(entry.path), entry.path});
      }
    }
  }
  std::sort(names.begin(), names.end());
  struct Alias {
    std::string path;
    std::string original;
    bool has_more = false;
  };
  std::set<std::string> aliases;
  std::map<std::string, Alias> by_folder;
  for (size_t i = 1, first = 0; i < names.size(); ++i) {
    if (names[i].number != names[first].number) {
      first = i;
      continue;
    }
    std::string path(names[i].path);
    const std::string folder = path.substr(0, path.find_last_of('/'));
    const auto [alias, is_new] =
        by_folder.try_emplace(folder, Alias{path, std::string(names[first].path)});
    alias->second.has_more = !is_new;
    aliases.insert(std::move(path));
  }
  for (const auto& [folder, alias] : by_folder) {
    listing->notices.push_back(
        MakeError(ErrorKind::kFileDiscovery,
                  fmt::format("another name of {}, which is read once{}", alias.original,
                              alias.has_more ? "; the folder has more names of this kind" : ""),
                  {.table = std::string(otap::GetTable(kind).directory), .file = alias.path}));
  }
  for (auto& [partition, listed] : *partitions) {
    listing->num_files -= static_cast<int64_t>(
        std::erase_if(listed.tables[otap::TableIndex(kind)],
                      [&](const FileEntry& entry) { return aliases.contains(entry.path); }));
  }
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

Result<LakeListing> ListLake(storage::Store& store, const std::string& base,
                             const std::vector<otap::Signal>& signals,
                             const TimesWanted& wants_times) {
  LakeListing listing;
  auto directories = store.ReadDirectories(base);
  auto entries = directories.ok() ? (*directories)->List(base) : directories.status();
  if (!entries.ok()) {
    // Whoever waits for a base to appear lists again anyhow; for others one that is not there is a
    // name written wrongly, which does not pass.
    const auto exists = store.Exists(base);
    return WithContext(entries.status(), ErrorKind::kFileDiscovery, {.file = store.Describe(base)},
                       exists.ValueOr(true));
  }
  std::map<std::string, PartitionListing> partitions;
  std::vector<Status> ignored;
  std::array<bool, otap::kTableCount> is_incomplete{};
  std::sort(entries->begin(), entries->end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  // What no walk enters: a link that leads there would read files of one table as another's.
  std::map<FileNumber, std::string> bounds;
  for (const FileNumber& number : (*directories)->NumbersUpFrom(base)) {
    bounds.emplace(number, "the base or a folder above it");
  }
  std::vector<const otap::TableInfo*> listed;
  for (const DirectoryEntry& entry : *entries) {
    const otap::TableInfo* table = entry.is_directory ? otap::FindTable(entry.name) : nullptr;
    if (table != nullptr && entry.number.is_known()) {
      bounds.emplace(entry.number, entry.name);
    }
    if (table != nullptr && IsListed(*table, signals)) {
      listed.push_back(table);
    }
  }
  const TimesWanted* const times =
      wants_times && TrustsLevels(directories->get(), base, listed, &listing) ? &wants_times
                                                                              : nullptr;
  for (const DirectoryEntry& entry : *entries) {
    const std::string& name = entry.name;
    if (entry.is_directory && name == "_delta_log") {
      listing.problems.push_back(
          MakeError(ErrorKind::kFileDiscovery,
                    "the base is a Delta table, not a folder of tables: nothing is read",
                    {.partition = "", .table = "", .file = name}));
      return listing;
    }
    if (IsUnwalkable(name) && name.ends_with(".parquet")) {
      listing.problems.push_back(
          MakeError(ErrorKind::kFileDiscovery, std::string(kUnwalkable), {.file = name}));
      continue;
    }
    if (name.front() == '.' || name.front() == '_' || !entry.is_directory) {
      if (entry.error != 0 && otap::FindTable(name) != nullptr) {
        listing.problems.push_back(MakeError(
            ErrorKind::kFileDiscovery,
            fmt::format("cannot be looked at: {}", std::strerror(entry.error)), {.file = name}));
      }
      continue;
    }
    const otap::TableInfo* table = otap::FindTable(name);
    if (table == nullptr) {
      ignored.push_back(MakeError(
          ErrorKind::kFileDiscovery,
          "the directory is not named as a table of the model and is ignored", {.file = name}));
      continue;
    }
    listing.has_table_folders = true;
    const bool is_wanted = IsWanted(*table, signals);
    if (table->kind == otap::TableKind::kMultivariateMetrics) {
      if (is_wanted) {
        listing.problems.push_back(
            MakeError(ErrorKind::kFileDiscovery,
                      "the model reserves this table and gives it no columns: it is not read",
                      {.partition = "", .table = name, .file = name}));
      }
      continue;
    }
    if (IsListed(*table, signals)) {
      TableWalk walk(directories->get(), base, table->kind, bounds, &partitions, &listing, times);
      walk.Walk(name);
      if (walk.has_aliases()) {
        LeaveOneName(table->kind, walk.links_to_files(), &partitions, &listing);
      }
      is_incomplete[otap::TableIndex(table->kind)] = walk.is_incomplete();
    }
  }
  if (listing.has_table_folders) {  // else this is another folder, and they are not worth a line
    std::move(ignored.begin(), ignored.end(), std::back_inserter(listing.problems));
  }
  for (auto& [name, partition] : partitions) {
    bool is_empty = true;
    partition.is_incomplete = is_incomplete;
    for (auto& files : partition.tables) {
      is_empty = is_empty && files.empty();
      std::sort(files.begin(), files.end(),
                [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
    }
    if (!is_empty) {
      listing.partitions.push_back(std::move(partition));
    }
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
