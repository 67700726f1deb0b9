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
  return nullptr;
}

std::string DescribeFileList(const FileListOptions& options) {
  return fmt::format("the plan '{}'", PrintableText(options.plan));
}

}  // namespace df::lake
