#include "app/commands/files_command.h"

#include <cstdio>

#include <fmt/format.h>

#include "app/commands/exit_codes.h"
#include "app/standard_output.h"
#include "lake/catalog/catalog.h"
#include "lake/lists/plan_list.h"
#include "storage/store.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

Result<lake::LakeListing> ListBase(const std::string& base_uri) {
  ARROW_ASSIGN_OR_RAISE(storage::StoreUri uri, storage::ParseStoreUri(base_uri));
  const std::string base = uri.path;
  ARROW_ASSIGN_OR_RAISE(const auto store, storage::Store::Make(std::move(uri)));
  return lake::ListLake(*store, base, {otap::kAllSignals.begin(), otap::kAllSignals.end()});
}

void PrintProblem(const std::string& message) {
  fmt::print(stderr, "df_engine files: {}\n", message);
}

}  // namespace

int FilesCommand(const std::string& base_uri) {
  const auto listing = ListBase(base_uri);
  if (!listing.ok()) {
    PrintProblem(listing.status().message());
    return kExitFailed;
  }
  bool is_complete = listing->problems.empty();
  for (const Status& problem : listing->problems) {
    PrintProblem(problem.message());
  }
  std::string plan = lake::PlanHeader() + "\n";
  for (const lake::PartitionListing& partition : listing->partitions) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const lake::FileEntry& entry : partition.tables[otap::TableIndex(table.kind)]) {
        const auto line = lake::PlanLine(table.kind, partition.partition, entry);
        if (line.ok()) {
          plan += *line + "\n";
        } else {
          PrintProblem(line.status().message());
          is_complete = false;
        }
      }
    }
  }
  const int code = PrintAnswer(plan);
  return code != kExitClean        ? code
         : !is_complete            ? kExitIncomplete
         : listing->num_files == 0 ? kExitNothingFound
                                   : kExitClean;
}

}  // namespace df::app
