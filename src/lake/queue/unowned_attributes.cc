#include "lake/queue/unowned_attributes.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "lake/catalog/own_files.h"

namespace df::lake {
namespace {

constexpr std::array kSharedTables = {otap::TableKind::kResourceAttrs,
                                      otap::TableKind::kScopeAttrs};

}  // namespace

Result<std::vector<UnownedFile>> FindUnownedAttributes(storage::Store& store,
                                                       const std::string& base,
                                                       const PartitionFiles& files,
                                                       const PartitionListing& listing) {
  bool has_roots = false;
  std::map<std::string, FileSummaryPtr> known;  // root files, by path
  std::set<std::string> sets;
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableKind root = otap::RootTable(signal);
    if (files.has_unreadable[otap::TableIndex(root)]) {
      return std::vector<UnownedFile>();  // it may be of these, and is reported
    }
    has_roots = has_roots || !listing.tables[otap::TableIndex(root)].empty();
    for (const FileSummaryPtr& file : files.of(root)) {
      known[file->entry.path] = file;
      sets.insert(file->file_set);
    }
  }
  std::vector<UnownedFile> unowned;
  for (const otap::TableKind kind : kSharedTables) {
    for (const FileSummaryPtr& file : files.of(kind)) {
      const bool is_of_set = has_roots && !file->file_set.empty() && !sets.contains(file->file_set);
      if (file->num_rows() > 0 && (!has_roots || is_of_set)) {
        unowned.push_back({.file = file, .is_of_set = is_of_set});
      }
    }
  }
  if (unowned.empty()) {
    return unowned;
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableKind root = otap::RootTable(signal);
    for (const FileEntry& entry : listing.tables[otap::TableIndex(root)]) {
      FileSummaryPtr& file = known[entry.path];
      if (file == nullptr) {  // of a signal that is not read
        ARROW_ASSIGN_OR_RAISE(file, Summarise(store, base, entry, root, files.partition));
      }
      if (file->file_set.empty() || !IsAsWritten(store, base, *file)) {
        return std::vector<UnownedFile>();
      }
      sets.insert(file->file_set);
    }
  }
  std::erase_if(unowned, [&](const UnownedFile& one) {
    return one.is_of_set &&
           (sets.contains(one.file->file_set) || !IsAsWritten(store, base, *one.file));
  });
  return unowned;
}

Status DescribeUntold(otap::TableKind kind, const std::set<otap::TableKind>& root_tables) {
  std::string absent;
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableInfo& table = otap::GetTable(otap::RootTable(signal));
    if (!root_tables.contains(table.kind)) {
      absent += fmt::format("{}{}", absent.empty() ? "" : " and ", table.directory);
    }
  }
  return MakeError(
      ErrorKind::kMissingFile,
      fmt::format(
          "there is no file of {}: rows in partitions without a file of records may belong there",
          absent),
      {.partition = "", .table = std::string(otap::GetTable(kind).directory), .file = ""});
}

Status DescribeUnowned(const std::string& partition, const std::vector<UnownedFile>& files) {
  const FileSummary& first = *files.front().file;
  int64_t num_rows = 0;
  for (const UnownedFile& one : files) {
    num_rows += one.file->num_rows();
  }
  return MakeError(
      ErrorKind::kMissingFile,
      fmt::format("found {} rows in {} files of {}, and no file of the records that they belong "
                  "to{}: expected one in logs, spans or univariate_metrics",
                  num_rows, files.size(), otap::GetTable(first.kind).directory,
                  files.front().is_of_set ? fmt::format(" (set {})", first.file_set) : ""),
      {.partition = partition,
       .table = std::string(otap::GetTable(first.kind).directory),
       .file = first.entry.path});
}

}  // namespace df::lake
