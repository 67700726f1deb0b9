// Where the list of the files of a lake comes from.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/catalog.h"
#include "lake/catalog/staged_records.h"
#include "otap/schema.h"
#include "storage/store.h"

namespace df::lake {

/// Says which files a lake has now. Calls: from one thread at a time.
class FileListProvider {
 public:
  virtual ~FileListProvider() = default;

  /// Lists the tables that the signals need, and the roots of the others, as ListLake does: paths
  /// below the base, sizes and times as the store gives them. A file that cannot be had is a
  /// problem of the listing and costs itself. Errors: kinds file_discovery and io when the list as
  /// a whole cannot be read.
  virtual Result<LakeListing> List(const std::vector<otap::Signal>& signals) = 0;
};

/// The files that stand in the table folders of a base; what nobody makes visible there is a
/// problem of the listing. `wants_times` is ListLake's.
class FolderList final : public FileListProvider {
 public:
  FolderList(std::shared_ptr<storage::Store> store, std::string base,
             std::function<bool(const EventTimeRange&)> wants_times)
      : store_(std::move(store)), base_(std::move(base)), wants_times_(std::move(wants_times)) {}

  Result<LakeListing> List(const std::vector<otap::Signal>& signals) override {
    ARROW_ASSIGN_OR_RAISE(LakeListing listing, ListLake(*store_, base_, signals, wants_times_));
    if (store_->is_local()) {
      for (Status& staged : FindStaged(base_, signals)) {
        listing.problems.push_back(std::move(staged));
      }
    }
    return listing;
  }

 private:
  std::shared_ptr<storage::Store> store_;
  std::string base_;
  std::function<bool(const EventTimeRange&)> wants_times_;
};

}  // namespace df::lake
