// The files that stand in the table folders of a base.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lake/catalog/catalog.h"
#include "lake/catalog/file_list.h"
#include "otap/schema.h"
#include "storage/folder_watch.h"
#include "storage/store.h"

namespace df::lake {

/// Lists the folders of a base; what nobody makes visible there is a problem of the listing.
class FolderList final : public FileListProvider {
 public:
  /// `wants_times` is ListLake's. `watch` tells which folders change, and is null where nothing
  /// does.
  FolderList(std::shared_ptr<storage::Store> store, std::string base,
             std::function<bool(const EventTimeRange&)> wants_times,
             std::shared_ptr<storage::FolderWatch> watch = nullptr)
      : store_(std::move(store)),
        base_(std::move(base)),
        wants_times_(std::move(wants_times)),
        watch_(std::move(watch)) {}

  Result<LakeListing> List(const std::vector<otap::Signal>& signals) override;
  bool HasChanges() const override { return watch_ != nullptr && watch_->HasChanges(); }
  bool IsWatched() const override { return watch_ != nullptr && is_plain_; }

  /// Looks at the tree as List does while a compaction runs, or has run since, where a
  /// table is new and where folders of times are passed over and one is new. Leaves what changes to
  /// List where files or folders have several names, or some are left out.
  Result<std::optional<LakeListing>> ListChanged(const std::vector<otap::Signal>& signals,
                                                 const std::set<std::string>& partitions) override;

 private:
  /// Adds the partitions that changed. Returns false where everything has to be listed.
  bool AddChanged(storage::DirectoryReader* directories, const storage::FolderChanges& changes,
                  const std::vector<otap::TableKind>& tables, std::set<std::string>* partitions);

  std::shared_ptr<storage::Store> store_;
  std::string base_;
  std::function<bool(const EventTimeRange&)> wants_times_;
  std::shared_ptr<storage::FolderWatch> watch_;
  // Of the last listing of everything.
  bool is_plain_ = true;
  bool passes_over_times_ = false;
  bool has_open_compactions_ = false;
  std::set<std::string> compactions_;
};

}  // namespace df::lake
