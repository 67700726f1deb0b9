#include "lake/lists/file_lists.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/lists/plan_list.h"

namespace df::lake {

std::unique_ptr<FileListProvider> MakeFileList(std::shared_ptr<storage::Store> store,
                                               const std::string& base,
                                               const FileListOptions& options) {
  if (!options.plan.empty()) {
    return std::make_unique<PlanList>(std::move(store), base, options.plan);
  }
  if (options.ducklake.has_value()) {
    return std::make_unique<DuckLakeList>(std::move(store), base, *options.ducklake);
  }
  if (options.delta.has_value()) {
    return std::make_unique<DeltaList>(std::move(store), base, *options.delta);
  }
  return nullptr;
}

std::string DescribeFileList(const FileListOptions& options) {
  if (options.ducklake.has_value()) {
    return fmt::format("the DuckLake catalog '{}'", PrintableText(options.ducklake->catalog));
  }
  if (options.delta.has_value()) {
    return "the logs of the Delta tables of base_uri";
  }
  return fmt::format("the plan '{}'", PrintableText(options.plan));
}

}  // namespace df::lake
