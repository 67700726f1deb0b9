// Puts a listing together from files that a list names.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/catalog.h"
#include "lake/catalog/file_summary.h"
#include "otap/schema.h"
#include "storage/store.h"

namespace df::lake {

/// A file as a list names it.
struct ListedFile {
  otap::TableKind table = otap::TableKind::kLogs;
  std::string partition;  ///< "key=value/key=value", or "" for a table without partitions
  std::string path;       ///< below the base
  std::optional<int64_t> size_bytes;  ///< where the list says it
  int64_t num_rows = -1;              ///< -1: the list does not say it
  std::string named_at;               ///< where the list names it, as in "plan.jsonl:12"
};

/// Looks the files of a list up in their store. Nothing is left out without a word: a file that is
/// missing, has another size or a partition that cannot be costs itself, a table that cannot be
/// read in whole costs its signals.
class ListedLake {
 public:
  /// Errors: file_discovery when the store cannot be listed.
  static Result<std::unique_ptr<ListedLake>> Open(storage::Store* store, std::string base,
                                                  const std::vector<otap::Signal>& signals);

  /// Tells whether the files of a table have to be listed: roots of other signals are, since ids of
  /// resources are found out from all of them.
  bool IsNeeded(otap::TableKind table) const;

  /// Adds a file of a table that is needed. Cost: one listing of each folder that has any.
  void Add(const ListedFile& file);

  /// Says that files of a table are not among those that are added, in one partition or in any.
  void AddMissing(otap::TableKind table, const std::string* partition = nullptr);

  /// Refuses a table: nothing goes out of the signals that need it. `status` says why.
  void Refuse(otap::TableKind table, Status status);

  void AddProblem(Status problem) { listing_.problems.push_back(std::move(problem)); }
  void AddNotice(Status notice) { listing_.notices.push_back(std::move(notice)); }

  /// Lists a folder below the base, "" for the base itself. Errors: IOError.
  Result<std::vector<storage::DirectoryEntry>> ListFolder(const std::string& folder) {
    ARROW_ASSIGN_OR_RAISE(auto listed,
                          directories_->List(folder.empty() ? base_ : FullPath(base_, folder)));
    return std::move(listed.entries);
  }

  /// Returns the entry of a file, or nothing and why.
  Result<storage::DirectoryEntry> Find(const std::string& path);

  LakeListing Finish();

 private:
  struct Folder {
    Status status;
    std::unordered_map<std::string, storage::DirectoryEntry> entries;
  };
  struct Refusal {
    otap::TableKind table;
    Status status;
  };

  ListedLake(storage::Store* store, std::string base, std::vector<otap::Signal> signals)
      : store_(store), base_(std::move(base)), signals_(std::move(signals)) {}

  Status CheckPartition(const ListedFile& file, const Location& location) const;
  bool IsAnotherName(const ListedFile& file, const storage::DirectoryEntry& entry,
                     const Location& location);
  bool IsReplayed(const otap::TableInfo& table,
                  const std::array<bool, otap::kTableCount>& is_refused) const;

  storage::Store* store_;
  std::string base_;
  std::vector<otap::Signal> signals_;
  std::unique_ptr<storage::DirectoryReader> directories_;
  std::unordered_map<std::string, Folder> folders_;
  std::unordered_map<std::string, std::string> named_;  ///< by path: where
  std::map<std::pair<otap::TableKind, storage::FileNumber>, std::string> numbers_;
  std::map<std::string, PartitionListing> partitions_;
  std::array<bool, otap::kTableCount> is_incomplete_{};
  std::vector<Refusal> refusals_;
  LakeListing listing_;
};

}  // namespace df::lake
