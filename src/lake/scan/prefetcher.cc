#include "lake/scan/prefetcher.h"

#include <algorithm>
#include <utility>

#include <arrow/io/interfaces.h>
#include <arrow/util/thread_pool.h>

namespace df::lake {

Prefetcher::Prefetcher(storage::Store* store, std::string base, std::string partition)
    : store_(store), base_(std::move(base)), partition_(std::move(partition)) {}

Prefetcher::~Prefetcher() {
  while (!files_.empty()) {
    Close(files_.begin());
  }
}

void Prefetcher::Add(const std::vector<FileSummaryPtr>& files, const IsNeeded& is_needed,
                     std::shared_ptr<const ScreenPlan> plan) {
  double num_rows = 1;
  for (const FileSummaryPtr& file : files) {
    num_rows += static_cast<double>(file->num_rows());
  }
  double row = 0;
  for (const FileSummaryPtr& file : files) {
    for (size_t i = 0; i < file->row_groups.size(); ++i) {
      if (file->row_groups[i].num_rows > 0 && is_needed(file->row_groups[i])) {
        items_.push_back({.place = row / num_rows, .file = file, .row_group = static_cast<int>(i)});
        files_[file.get()].ahead.insert(static_cast<int>(i));
        files_[file.get()].plan = plan;
      }
      row += static_cast<double>(file->row_groups[i].num_rows);
    }
  }
  is_sorted_ = false;
}

void Prefetcher::AddRowGroup(const FileSummaryPtr& file, int row_group, double place) {
  items_.push_back({.place = place, .file = file, .row_group = row_group});
  files_[file.get()].ahead.insert(row_group);
  is_sorted_ = false;
}

std::shared_ptr<TableFile> Prefetcher::Find(const FileSummary& file) {
  GoOn();
  const auto found = files_.find(&file);
  if (found == files_.end() || !found->second.opened.is_valid()) {
    return nullptr;
  }
  const auto& opened = found->second.opened.result();
  return opened.ok() ? *opened : nullptr;
}

void Prefetcher::Keep(const FileSummary& file, std::shared_ptr<TableFile> opened) {
  if (const auto found = files_.find(&file); found != files_.end()) {
    found->second.opened = Opened::MakeFinished(std::move(opened));
  }
}

void Prefetcher::Leave(const FileSummary& file, int row_group) {
  const auto found = files_.find(&file);
  if (found == files_.end()) {
    return;
  }
  num_begun_ -= found->second.begun.erase(row_group);
  if (const auto& opened = found->second.opened;
      found->second.plan != nullptr && opened.is_valid() && opened.result().ok()) {
    (*opened.result())->EndScreen(row_group);
  }
  found->second.ahead.erase(row_group);
  if (found->second.ahead.empty()) {
    Close(found);
  }
  GoOn();
}

void Prefetcher::PassOver(const FileSummary& file, int row_group) {
  if (const auto found = files_.find(&file);
      found != files_.end() && found->second.begun.contains(row_group)) {
    if (const auto& opened = found->second.opened.result(); opened.ok()) {
      (*opened)->LetGo(row_group);
    }
  }
  Leave(file, row_group);
}

void Prefetcher::Forget(const FileSummary& file) {
  if (const auto found = files_.find(&file); found != files_.end()) {
    Close(found);
  }
}

/// Lets a file go. What works with the store has ended then.
void Prefetcher::Close(std::map<const FileSummary*, File>::iterator file) {
  if (file->second.opened.is_valid()) {
    file->second.opened.Wait();
  }
  num_begun_ -= file->second.begun.size();
  std::erase(opening_, &file->second);
  files_.erase(file);
}

void Prefetcher::GoOn() {
  if (!is_sorted_) {
    std::stable_sort(items_.begin(), items_.end(),
                     [](const Item& a, const Item& b) { return a.place < b.place; });
    std::reverse(items_.begin(), items_.end());
    is_sorted_ = true;
  }
  while (!items_.empty() && num_begun_ < kMost && Begin(items_.back())) {
    items_.pop_back();
  }
}

/// Begins to fetch a row group, unless it is not needed any more or too large. Returns false when
/// it has to wait.
bool Prefetcher::Begin(const Item& item) {
  const auto found = files_.find(item.file.get());
  if (found == files_.end() || !found->second.ahead.contains(item.row_group) ||
      found->second.begun.contains(item.row_group)) {
    return true;
  }
  const RowGroupSummary& group = item.file->row_groups[static_cast<size_t>(item.row_group)];
  const ScreenPlan* plan = found->second.plan.get();
  const int64_t num_bytes = BytesOf(group, plan);
  // What is looked at first leaves room for the pages of the rows that it shows.
  const int64_t kept_free = plan == nullptr ? 0 : store_->ahead_bytes() / 2;
  if (num_bytes > store_->ahead_bytes() - kept_free) {
    return true;
  }
  int64_t left = store_->ahead_left() - kept_free;
  std::erase_if(opening_, [](File* file) {
    file->bytes_to_announce = file->opened.is_finished() ? 0 : file->bytes_to_announce;
    return file->bytes_to_announce == 0;
  });
  for (const File* file : opening_) {
    left -= file->bytes_to_announce;
  }
  File& file = found->second;
  if (num_bytes > left || file.bytes_to_announce > 0) {
    return false;
  }
  if (!file.opened.is_valid()) {
    file.opened = Open(item, file);
    file.bytes_to_announce = num_bytes;
    opening_.push_back(&file);
  } else if (const auto& opened = file.opened.result(); opened.ok() && plan == nullptr) {
    (*opened)->Prefetch(item.row_group, true);
  } else if (opened.ok()) {
    (*opened)->PrefetchScreen(item.row_group, *plan);
  } else {
    return true;
  }
  file.begun.insert(item.row_group);
  ++num_begun_;
  return true;
}

/// How many bytes are fetched of a row group: of a part of it about so many.
int64_t Prefetcher::BytesOf(const RowGroupSummary& group, const ScreenPlan* plan) {
  if (plan == nullptr) {
    return group.num_bytes;
  }
  const auto num_leaves = std::count(plan->leaves.begin(), plan->leaves.end(), true);
  return std::min(group.num_bytes, group.num_rows * num_leaves * 8);
}

Prefetcher::Opened Prefetcher::Open(const Item& item, const File& file_ahead) {
  const auto open = [this, file = item.file, row_group = item.row_group,
                     plan = file_ahead.plan]() -> Result<std::shared_ptr<TableFile>> {
    ARROW_ASSIGN_OR_RAISE(
        auto table, OpenSummarised(*store_, base_, *file,
                                   {.partition = partition_,
                                    .table = std::string(otap::GetTable(file->kind).directory),
                                    .file = file->entry.path}));
    if (plan == nullptr) {
      table->Prefetch(row_group, true);
    } else {
      table->PrefetchScreen(row_group, *plan);
    }
    return table;
  };
  return arrow::DeferNotOk(arrow::io::default_io_context().executor()->Submit(open));
}

}  // namespace df::lake
