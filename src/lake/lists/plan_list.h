// The files of a lake as a plan file names them (docs/catalogs.md).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/file_list.h"
#include "storage/store.h"

namespace df::lake {

/// Reads a local file of JSON lines, one a file of the lake, each time it is asked. A line that
/// cannot be used is a problem that names file and line, and costs itself. Cost: linear in the
/// file; memory for the files it names and one line of at most kMaxPlanLineBytes.
class PlanList final : public FileListProvider {
 public:
  PlanList(std::shared_ptr<storage::Store> store, std::string base, std::string plan)
      : store_(std::move(store)), base_(std::move(base)), plan_(std::move(plan)) {}

  /// Errors: io when the plan cannot be read, file_discovery when it is of another version.
  Result<LakeListing> List(const std::vector<otap::Signal>& signals) override;

 private:
  std::shared_ptr<storage::Store> store_;
  std::string base_;
  std::string plan_;
};

inline constexpr int kPlanVersion = 1;
inline constexpr size_t kMaxPlanLineBytes = 64 * 1024;

/// Returns the first line of a plan, without its end.
std::string PlanHeader();

/// Returns the line of a file, without its end. Errors: Invalid when its path is not UTF-8, which
/// JSON cannot say.
Result<std::string> PlanLine(otap::TableKind table, const std::string& partition,
                             const FileEntry& entry);

}  // namespace df::lake
