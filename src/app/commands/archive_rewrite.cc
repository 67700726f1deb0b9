#include "app/commands/archive_rewrite.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include "app/commands/archive_path.h"
#include "app/commands/compaction_plan.h"
#include "base/text.h"
#include "lake/write/partition_ids.h"
#include "lake/write/staging_area.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;

/// Whoever follows an archive holds it for as long as he does, and reads what he has listed within
/// this time.
constexpr std::chrono::nanoseconds kReadFor = std::chrono::hours(1);

/// Says why a file is not the one that was read, or not the only name of it; "" for nothing.
std::string WhyChanged(const fs::path& path, const lake::FileEntry& entry) {
  struct stat facts{};
  if (lstat(path.c_str(), &facts) != 0) {
    return "is gone";
  }
  if (!S_ISREG(facts.st_mode) || facts.st_nlink != 1) {
    return "is a link, or has other names";
  }
  const int64_t modified = facts.st_mtim.tv_sec * int64_t{1'000'000'000} + facts.st_mtim.tv_nsec;
  return facts.st_size != entry.size_bytes || modified != entry.modified_nanos
             ? "has changed since it was read"
             : "";
}

/// Says what else is in the folder of files; "" for nothing.
std::string WhatElse(const fs::path& base, const fs::path& folder,
                     const std::set<std::string>& files) {
  std::error_code error;
  const fs::path real = fs::canonical(base / folder, error);
  if (error || real != fs::canonical(base, error) / folder) {
    return "a link leads to it";
  }
  fs::directory_iterator entries(base / folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name.ends_with(".tmp")) {
      return fmt::format("'{}' is being written", name);
    }
    if (name.ends_with(".parquet") && name.front() != '.' && name.front() != '_' &&
        !files.contains(name)) {
      return fmt::format("'{}' is in it too, and was not read: it is new, or a copy", name);
    }
  }
  return error ? error.message() : "";
}

/// Says whether a writer has staged something of a partition; "" for nothing.
std::string WhoStages(const fs::path& base, const std::string& partition) {
  std::error_code error;
  fs::directory_iterator entries(base / lake::kStagingFolder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    for (const otap::Signal signal : otap::kAllSignals) {
      std::error_code ignored;
      if (fs::exists(
              entries->path() / otap::GetTable(otap::RootTable(signal)).directory / partition,
              ignored)) {
        return fmt::format("the writer {} has staged records of it",
                           entries->path().filename().string());
      }
    }
  }
  return "";
}

Status Lock(const std::string& base, ArchiveToRewrite* lock, std::vector<std::string>* remarks) {
  lock->store = lake::MakeLocalStore(base);
  ARROW_ASSIGN_OR_RAISE(lock->journal, lake::CompactionJournal::Open(base));
  ARROW_ASSIGN_OR_RAISE(const auto recovered, lock->journal->Recover());
  if (recovered.finished + recovered.taken_back > 0) {
    remarks->push_back(
        fmt::format("of compactions that had ended early {} were finished and {} taken back",
                    recovered.finished, recovered.taken_back));
  }
  lock->journal->RemoveSetAside(NowNanos() - kReadFor.count());
  ARROW_ASSIGN_OR_RAISE(const int64_t num_stale, lock->store->RemoveStale());
  if (num_stale > 0) {
    remarks->push_back(
        fmt::format("{} files of writers that had ended early were removed", num_stale));
  }
  ARROW_ASSIGN_OR_RAISE(const lake::RecoveredSets sets,
                        lake::RecoverStagedSets(base, lock->store.get(), {}));
  if (sets.sets > 0) {
    remarks->push_back(fmt::format(
        "{} records that a writer had staged and not published before it ended are visible now",
        sets.rows));
  }
  for (const Status& problem : sets.problems) {
    remarks->push_back(fmt::format("staged records stay where they are: {}", problem.message()));
  }
  return Status::OK();
}

}  // namespace

Result<ArchiveToRewrite> OpenForRewriting(const std::string& command, const ArchiveFlags& flags,
                                          bool is_only_looked_at) {
  ARROW_ASSIGN_OR_RAISE(const ArchivePath path, ResolvePath(flags.path));
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri uri, storage::ParseStoreUri(path.base));
  if (!uri.is_local()) {
    return Status::Invalid(fmt::format(
        "'{}' is in a store: files are replaced in local folders only", PrintableText(flags.path)));
  }
  if (!path.file.empty() || path.signals.size() < otap::kAllSignals.size()) {
    return Status::Invalid(fmt::format("'{}' is a part of an archive: expected all of it, '{}'",
                                       PrintableText(flags.path), PrintableText(path.base)));
  }
  ArchiveToRewrite target;
  if (!is_only_looked_at) {
    std::vector<std::string> remarks;
    ARROW_RETURN_NOT_OK(Lock(uri.path, &target, &remarks));
    for (const std::string& remark : remarks) {
      PrintRemark(flags, fmt::format("{}: {}", command, remark));
    }
  }
  ARROW_ASSIGN_OR_RAISE(target.archive, OpenArchive(flags, {}, {}, /*holds_base=*/false));
  return target;
}

void TellSetAside(const std::string& command, const ArchiveFlags& flags,
                  const lake::CompactionJournal& journal) {
  if (journal.num_set_aside() > 0) {
    PrintRemark(flags,
                fmt::format("{}: the archive is being read: {} were set aside in {}/, and go with "
                            "the next compaction or pruning",
                            command, ShowCountOf(journal.num_set_aside(), "old file"),
                            lake::kCompactionsFolder));
  }
}

std::string WhyInUse(const std::string& base, const lake::PartitionWork& partition) {
  std::map<std::string, std::set<std::string>> folders;
  for (const lake::FileSummaryPtr& file : FilesOf(partition)) {
    const fs::path path = file->entry.path;
    if (const std::string why = WhyChanged(fs::path(base) / path, file->entry); !why.empty()) {
      return fmt::format("'{}' {}", path.string(), why);
    }
    folders[path.parent_path().string()].insert(path.filename().string());
  }
  for (const auto& [folder, files] : folders) {
    if (const std::string what = WhatElse(base, folder, files); !what.empty()) {
      return fmt::format("{}: {}", folder, what);
    }
  }
  return WhoStages(base, partition.files->partition);
}

std::string NewCompactionId(int64_t now_nanos) {
  return fmt::format("{}-{}", now_nanos / 1'000'000, lake::RandomUuid());
}

}  // namespace df::app
