#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <arrow/io/file.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

#include "base/durable_file.h"
#include "lake/catalog/catalog.h"
#include "lake/catalog/time_levels.h"
#include "lake/format/footer.h"
#include "lake/format/own_keys.h"
#include "lake/write/staging_area.h"
#include "storage/store.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

/// Adds the sets that a file has taken in. Errors: the footer cannot be read.
Status AddMergedSets(const fs::path& path, std::set<std::string>* merged) {
  ARROW_ASSIGN_OR_RAISE(const auto file, arrow::io::ReadableFile::Open(path.string()));
  ARROW_ASSIGN_OR_RAISE(const auto footer, ReadFooter(file.get(), {.file = path.string()}));
  const auto& keys = footer.metadata->key_value_metadata();
  const std::string text = keys == nullptr ? "" : keys->Get(kMergedSetsKey).ValueOr("");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    merged->insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return Status::OK();
}

/// The staged sets of one writer that has ended.
class Recovery {
 public:
  Recovery(const std::string& base, StagingFolder* folder, FileStore* target,
           const WriteOptions& options, RecoveredSets* recovered)
      : base_(base), folder_(folder), target_(target), options_(options), recovered_(recovered) {
    options_.producer = folder->path().filename().string();
  }

  Status Run() {
    // What was being staged was not acknowledged.
    ARROW_RETURN_NOT_OK(folder_->store()->RemoveStale().status());
    const auto local = storage::Store::Local();
    ARROW_ASSIGN_OR_RAISE(const LakeListing listing,
                          ListLake(*local, folder_->path().string(),
                                   {otap::kAllSignals.begin(), otap::kAllSignals.end()}));
    for (const PartitionListing& partition : listing.partitions) {
      ReadReport report;
      const PartitionFiles files =
          LoadPartition(*local, folder_->path().string(), partition, &report);
      for (const Problem& problem : report.problems) {
        recovered_->problems.push_back(Status::Invalid(problem.message));
      }
      for (const otap::Signal signal : otap::kAllSignals) {
        RecoverSignal(signal, files);
      }
      RemoveRootless(files);
    }
    folder_->RemoveIfEmpty();
    return Status::OK();
  }

 private:
  void RecoverSignal(otap::Signal signal, const PartitionFiles& files) {
    const auto& roots = files.of(otap::RootTable(signal));
    if (roots.empty()) {
      return;
    }
    std::set<std::string> merged;
    if (const Status found = FindMerged(signal, files.partition, &merged); !found.ok()) {
      recovered_->problems.push_back(found);  // which of them are visible is not known
      return;
    }
    std::vector<StagedSet> done;
    std::vector<StagedSet> left;
    for (const FileSummaryPtr& root : roots) {
      auto set = SetOf(signal, *root, files);
      if (!set.ok()) {
        recovered_->problems.push_back(set.status());
        continue;
      }
      (merged.contains(set->file_set) ? done : left).push_back(*std::move(set));
    }
    folder_->Remove(done);
    recovered_->merged_sets += std::ssize(done);
    std::sort(left.begin(), left.end(),
              [](const StagedSet& a, const StagedSet& b) { return a.unix_millis < b.unix_millis; });
    if (!left.empty()) {
      Merge(std::move(left));
    }
  }

  /// Finds the sets that were visible when the writer ended and had not been removed.
  Status FindMerged(otap::Signal signal, const std::string& partition,
                    std::set<std::string>* merged) const {
    const fs::path folder =
        fs::path(base_) / otap::GetTable(otap::RootTable(signal)).directory / partition;
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      if (entries->path().extension() == ".parquet") {
        ARROW_RETURN_NOT_OK(AddMergedSets(entries->path(), merged));
      }
    }
    return error && error != std::errc::no_such_file_or_directory
               ? FileError(folder, "cannot list", error.value())
               : Status::OK();
  }

  /// Puts a set together by the footers of its files. Errors: missing_file where it is not whole.
  static Result<StagedSet> SetOf(otap::Signal signal, const FileSummary& root,
                                 const PartitionFiles& files) {
    StagedSet set{.file_set = root.file_set,
                  .signal = signal,
                  .partition = files.partition,
                  .has_time_levels = files.partition.starts_with("date="),
                  .unix_millis = NameMillis(root.entry.path),
                  .files = {},
                  .rows = {},
                  .size_bytes = 0};
    const auto add = [&](const FileSummary& file) {
      const size_t index = otap::TableIndex(file.kind);
      set.files[index] = file.entry.path;
      set.rows[index] += file.num_rows();
      set.size_bytes += file.entry.size_bytes;
    };
    add(root);
    bool is_whole = !root.file_set.empty() && root.rows_of_set.has_value();
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const FileSummaryPtr& file : files.of(table.kind)) {
        if (!table.is_root() && !root.file_set.empty() && file->file_set == root.file_set) {
          is_whole = is_whole && set.files[otap::TableIndex(table.kind)].empty();
          add(*file);
        }
      }
    }
    if (is_whole) {
      is_whole =
          std::all_of(root.rows_of_set->begin(), root.rows_of_set->end(), [&](const auto& wanted) {
            return set.rows[otap::TableIndex(wanted.first)] == wanted.second;
          });
    }
    return is_whole ? Result<StagedSet>(std::move(set))
                    : MakeError(ErrorKind::kMissingFile, "the staged set is not whole",
                                {.partition = files.partition, .file = root.entry.path});
  }

  void Merge(std::vector<StagedSet> sets) {
    SetMerge merge(target_, options_, folder_->path().string(), std::move(sets));
    Result<bool> done = false;
    while (done.ok() && !*done) {
      done = merge.Step();
    }
    if (!done.ok()) {
      recovered_->problems.push_back(done.status());
      return;
    }
    folder_->Remove(merge.sets());
    recovered_->sets += std::ssize(merge.sets());
    recovered_->rows += merge.num_root_rows();
  }

  /// Removes files of sets whose root file was removed first, or never had its name.
  void RemoveRootless(const PartitionFiles& files) const {
    std::set<std::string_view> rooted;
    for (const otap::Signal signal : otap::kAllSignals) {
      const otap::TableKind root = otap::RootTable(signal);
      if (files.has_unreadable[otap::TableIndex(root)]) {
        return;
      }
      for (const FileSummaryPtr& file : files.of(root)) {
        rooted.insert(file->file_set);
      }
    }
    std::vector<StagedSet> rootless;
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const FileSummaryPtr& file : files.of(table.kind)) {
        if (!table.is_root() && !rooted.contains(file->file_set)) {
          StagedSet set;
          set.files[otap::TableIndex(table.kind)] = file->entry.path;
          rootless.push_back(std::move(set));
        }
      }
    }
    folder_->Remove(rootless);
  }

  const std::string& base_;
  StagingFolder* folder_;
  FileStore* target_;
  WriteOptions options_;
  RecoveredSets* recovered_;
};

}  // namespace

Result<RecoveredSets> RecoverStagedSets(const std::string& base, FileStore* target,
                                        const WriteOptions& options) {
  RecoveredSets recovered;
  const fs::path staging = fs::path(base) / kStagingFolder;
  std::error_code error;
  fs::directory_iterator entries(staging, error);
  if (error == std::errc::no_such_file_or_directory) {
    return recovered;
  }
  std::vector<fs::path> folders;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    folders.push_back(entries->path());
  }
  if (error) {
    return FileError(staging, "cannot list", error.value());
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& path : folders) {
    const auto folder = StagingFolder::TakeOver(path);
    Status status = folder.status();
    if (status.ok() && *folder != nullptr) {
      status = Recovery(base, folder->get(), target, options, &recovered).Run();
    }
    if (!status.ok()) {
      recovered.problems.push_back(status);
    }
  }
  return recovered;
}

}  // namespace df::lake
