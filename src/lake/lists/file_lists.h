// Which list of files a lake is read by.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lake/catalog/file_list.h"
#include "lake/lists/delta_list.h"
#include "lake/lists/ducklake_list.h"
#include "storage/store.h"

namespace df::lake {

/// What says which files a lake has; at most one is given.
struct FileListOptions {
  std::string plan;  ///< a local file; "" for none
  std::optional<DuckLakeOptions> ducklake;
  std::optional<DeltaOptions> delta;
};

/// Returns the list that the options choose, null for the folders of the base.
std::unique_ptr<FileListProvider> MakeFileList(std::shared_ptr<storage::Store> store,
                                               const std::string& base,
                                               const FileListOptions& options);

/// Says what list that is: "the plan 'x'".
std::string DescribeFileList(const FileListOptions& options);

}  // namespace df::lake
