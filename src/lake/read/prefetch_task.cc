#include "lake/read/prefetch_task.h"

#include <vector>

namespace df::lake {

std::unique_ptr<Prefetcher> PrefetchTask(const PartitionTask& task, const ReadContext& context) {
  if (context.store->is_local() || context.is_partial || context.is_selecting) {
    return nullptr;
  }
  auto prefetcher = std::make_unique<Prefetcher>(context.store, context.base, context.partition);
  const otap::TableKind root = otap::RootTable(task.signal);
  std::vector<FileSummaryPtr> roots;
  for (const size_t file : task.root_files) {
    roots.push_back(task.files->of(root)[file]);
  }
  const auto is_needed = [](const RowGroupSummary&) { return true; };
  prefetcher->Add(roots, is_needed);
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.kind != root && table.has_signal(task.signal)) {
      prefetcher->Add(task.files->of(table.kind), is_needed);
    }
  }
  return prefetcher;
}

}  // namespace df::lake
