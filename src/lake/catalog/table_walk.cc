#include "lake/catalog/table_walk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <set>
#include <utility>

#include <arrow/util/io_util.h>
#include <fmt/format.h>

#include "lake/catalog/level_seal.h"
#include "lake/catalog/time_levels.h"

namespace df::lake {
namespace {

using storage::DirectoryEntry;
using storage::DirectoryListing;
using storage::FileNumber;

constexpr int kMaxDepth = 16;
/// Of a day or hour. One stays where its writer ended before it could take it away.
constexpr size_t kMostOlderSeals = 16;

/// The state of one walk.
class TableWalk {
 public:
  TableWalk(storage::DirectoryReader* directories, const std::string& base, otap::TableKind kind,
            WalkBounds visited, const WantsTimes* wants_times)
      : directories_(directories),
        base_(base),
        kind_(kind),
        visited_(std::move(visited)),
        wants_times_(wants_times) {}

  TableListing Walk(Result<DirectoryListing> top) {
    WalkEntries({.path = std::string(otap::GetTable(kind_).directory),
                 .partition = "",
                 .depth = 0,
                 .day = std::nullopt},
                std::move(top));
    while (!links_.empty()) {
      const Directory link = std::move(links_.front());
      links_.pop_front();
      WalkDirectory(link);
    }
    return End();
  }

  TableListing WalkOne(const std::string& partition, bool is_deep) {
    is_deep_ = is_deep;
    const std::string table(otap::GetTable(kind_).directory);
    const auto depth =
        partition.empty() ? 0 : 1 + std::count(partition.begin(), partition.end(), '/');
    WalkDirectory({.path = partition.empty() ? table : table + "/" + partition,
                   .partition = partition,
                   .depth = static_cast<int>(depth),
                   .day = std::nullopt});
    listing_.is_plain = listing_.is_plain && links_.empty();
    return End();
  }

 private:
  struct Directory {
    std::string path;
    std::string partition;
    int depth = 0;
    std::optional<EventTimeRange> day;  ///< it is the folder of one
  };

  TableListing End() {
    if (has_aliases_) {
      LeaveOneName();
    }
    for (auto& [partition, files] : listing_.partitions) {
      std::sort(files.begin(), files.end(),
                [](const FileEntry& a, const FileEntry& b) { return a.path < b.path; });
    }
    listing_.is_plain = listing_.is_plain && !has_aliases_ && !listing_.is_incomplete;
    return std::move(listing_);
  }

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
        if (inner.ok() && std::any_of(inner->entries.begin(), inner->entries.end(),
                                      [](const DirectoryEntry& file) {
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

  void WalkDirectory(const Directory& directory) {
    if (directory.depth > kMaxDepth) {
      listing_.problems.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  fmt::format("directories are nested deeper than {}", kMaxDepth),
                  directory.partition, directory.path));
      return;
    }
    auto listed = directories_->List(FullPath(base_, directory.path));
    if (arrow::internal::ErrnoFromStatus(listed.status()) == ENOENT) {
      return;  // gone since it was named
    }
    if (listed.ok() && listed->number.is_known()) {
      const auto [known, is_new] = visited_.emplace(listed->number, directory.path);
      if (!is_new) {
        listing_.notices.push_back(Problem(
            ErrorKind::kFileDiscovery,
            fmt::format("leads to {}, which is read once", known->second), "", directory.path));
        return;
      }
    }
    WalkEntries(directory, std::move(listed));
  }

  void WalkEntries(const Directory& directory, Result<DirectoryListing> listed) {
    if (!listed.ok()) {
      listing_.is_incomplete = true;
      listing_.problems.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  fmt::format("the directory cannot be listed: {}", listed.status().message()),
                  directory.partition, directory.path));
      return;
    }
    std::vector<DirectoryEntry>& entries = listed->entries;
    if (const std::string_view format = TableFormat(entries, directory.path); !format.empty()) {
      listing_.is_incomplete = true;
      listing_.problems.push_back(Problem(
          ErrorKind::kFileDiscovery,
          fmt::format("which of the files are valid only the log of a {} table says, which is not "
                      "read: the directory is left out{}",
                      format, format == "Delta" ? "; catalog.files.delta reads it" : ""),
          directory.partition, directory.path));
      return;
    }
    std::vector<FileEntry>* files = nullptr;
    std::sort(entries.begin(), entries.end(),
              [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
    for (const DirectoryEntry& entry : entries) {
      if (entry.error != 0) {
        AddUnknown(directory, entry);
      } else if (entry.is_directory) {
        AddDirectory(directory, entry);
      } else if (IsTableFile(entry.name)) {
        AddFile(directory, entry, &files);
      } else if (const int64_t millis = SealMillis(entry.name); millis >= 0) {
        AddSeal(directory, entry, millis);
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
      listing_.problems.push_back(Problem(ErrorKind::kFileDiscovery, std::string(kUnwalkable),
                                          directory.partition, directory.path + "/" + entry.name));
      listing_.is_incomplete = true;
      return;
    }
    listing_.problems.push_back(Problem(
        ErrorKind::kFileDiscovery,
        fmt::format("{}: {}", entry.is_link ? "the link leads nowhere" : "cannot be looked at",
                    std::strerror(entry.error)),
        directory.partition, directory.path + "/" + entry.name));
    listing_.is_incomplete = true;
  }

  void AddDirectory(const Directory& directory, const DirectoryEntry& entry) {
    const std::string& name = entry.name;
    if (IsSkipped(name)) {
      return;
    }
    Directory inner{.path = directory.path + "/" + name,
                    .partition = directory.partition,
                    .depth = directory.depth + 1,
                    .day = std::nullopt};
    if (wants_times_ != nullptr) {
      const auto times = TimesOf(directory, name);
      listing_.has_linked_times = listing_.has_linked_times || (entry.is_link && times.has_value());
      if (!entry.is_link && times.has_value()) {
        if (!(*wants_times_)(*times)) {
          ++listing_.num_folders_skipped;
          return;
        }
        inner.day = directory.depth == 0 ? times : std::nullopt;
      }
    }
    const size_t equals = name.find('=');
    if (equals == std::string::npos && name.ends_with(".parquet")) {
      listing_.is_plain = false;
      listing_.notices.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  "a folder named like a file: what is in it belongs to the folder above",
                  directory.partition, inner.path));
    } else {
      inner.partition =
          directory.partition.empty() ? name : fmt::format("{}/{}", directory.partition, name);
      const std::string value = equals == std::string::npos ? name : name.substr(equals + 1);
      if (value.empty() || value == "__HIVE_DEFAULT_PARTITION__") {
        listing_.problems.push_back(
            Problem(ErrorKind::kInvalidPartition,
                    fmt::format("found partition value '{}', expected an id", value),
                    inner.partition, inner.path));
        return;
      }
    }
    listing_.is_plain = listing_.is_plain && !entry.is_link;
    if (entry.is_link) {
      links_.push_back(std::move(inner));  // looked at when every real directory has been seen
    } else if (is_deep_) {
      WalkDirectory(inner);
    }
  }

  /// Of several seals of a level the newest counts.
  void AddSeal(const Directory& directory, const DirectoryEntry& entry, int64_t millis) {
    const otap::TableInfo& table = otap::GetTable(kind_);
    for (const otap::Signal signal : otap::kAllSignals) {
      if (directory.depth == 0 || otap::RootTable(signal) != table.kind) {
        continue;
      }
      SealEntry& seal = listing_.seals[directory.partition];
      std::string path = directory.path + "/" + entry.name;
      if (seal.path.empty()) {
        seal = {.signal = signal,
                .level = directory.partition,
                .path = std::move(path),
                .millis = millis,
                .older = {}};
        continue;
      }
      if (millis > seal.millis) {
        std::swap(path, seal.path);
        seal.millis = millis;
      }
      const auto is_newer = [](const std::string& a, const std::string& b) {
        return SealMillis(NameInLevel(a)) > SealMillis(NameInLevel(b));
      };
      seal.older.insert(std::upper_bound(seal.older.begin(), seal.older.end(), path, is_newer),
                        path);
      if (seal.older.size() > kMostOlderSeals) {
        seal.older.pop_back();
      }
    }
  }

  void AddFile(const Directory& directory, const DirectoryEntry& entry,
               std::vector<FileEntry>** files) {
    if (*files == nullptr) {
      *files = &listing_.partitions[directory.partition];
    }
    (*files)->push_back({.path = directory.path + "/" + entry.name,
                         .size_bytes = entry.size_bytes,
                         .modified_nanos = entry.modified_nanos,
                         .changed_nanos = entry.changed_nanos,
                         .number = entry.number});
    ++listing_.num_files;
    if (entry.is_link) {
      links_to_files_.insert(directory.path + "/" + entry.name);
    }
    has_aliases_ = has_aliases_ || entry.is_link || entry.has_names;
  }

  /// Leaves one name of each file: the first that is no link. Names the others, once a folder.
  void LeaveOneName() {
    struct Name {
      FileNumber number;
      bool is_link;
      std::string_view path;
      auto operator<=>(const Name&) const = default;
    };
    std::vector<Name> names;
    for (const auto& [partition, files] : listing_.partitions) {
      for (const FileEntry& entry : files) {
        if (entry.number.is_known()) {
          names.push_back({entry.number, links_to_files_.contains(entry.path), entry.path});
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
      listing_.notices.push_back(
          Problem(ErrorKind::kFileDiscovery,
                  fmt::format("another name of {}, which is read once{}", alias.original,
                              alias.has_more ? "; the folder has more names of this kind" : ""),
                  "", alias.path));
    }
    for (auto& [partition, files] : listing_.partitions) {
      listing_.num_files -= static_cast<int64_t>(std::erase_if(
          files, [&](const FileEntry& entry) { return aliases.contains(entry.path); }));
    }
  }

  storage::DirectoryReader* directories_;
  const std::string& base_;
  otap::TableKind kind_;
  WalkBounds visited_;
  std::deque<Directory> links_;
  std::set<std::string> links_to_files_;
  TableListing listing_;
  const WantsTimes* wants_times_;
  bool is_deep_ = true;
  bool has_aliases_ = false;  ///< another name of a file may be in the listing
};

}  // namespace

TableListing WalkTable(storage::DirectoryReader* directories, const std::string& base,
                       otap::TableKind kind, Result<DirectoryListing> top, WalkBounds bounds,
                       const WantsTimes* wants_times) {
  return TableWalk(directories, base, kind, std::move(bounds), wants_times).Walk(std::move(top));
}

TableListing WalkPartition(storage::DirectoryReader* directories, const std::string& base,
                           otap::TableKind kind, const std::string& partition, bool is_deep) {
  return TableWalk(directories, base, kind, {}, nullptr).WalkOne(partition, is_deep);
}

}  // namespace df::lake
