#include "lake/read/dense_ahead.h"

#include <algorithm>
#include <utility>

namespace df::lake {

DenseAhead::DenseAhead(const PartitionTask& task, ReadContext* context,
                       std::function<bool(const RowGroupSummary&)> may_be_wanted)
    : context_(context), may_be_wanted_(std::move(may_be_wanted)) {
  const bool is_delivered_in_part = std::any_of(
      task.taken.begin(), task.taken.end(), [](const RowRanges& taken) { return !taken.empty(); });
  // Children of data points hang on these, and their ids tell nothing of the rows of metrics.
  if (context->store->is_local() || !context->is_selecting || is_delivered_in_part ||
      task.signal == otap::Signal::kMetrics) {
    return;
  }
  const auto add = [](const FileSummaryPtr& file, std::vector<Group>* groups) {
    for (size_t i = 0; i < file->row_groups.size(); ++i) {
      groups->push_back({.file = file, .index = static_cast<int>(i)});
    }
  };
  const otap::TableKind root = otap::RootTable(task.signal);
  for (const size_t file : task.root_files) {
    add(task.files->of(root)[file], &roots_);
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.parent != root) {
      continue;
    }
    Children children;
    for (const FileSummaryPtr& file : task.files->of(table.kind)) {
      add(file, &children.groups);
    }
    std::erase_if(children.groups, [](const Group& group) {
      return group.summary().num_rows == 0 || !group.summary().parent_ids.has_value();
    });
    std::stable_sort(children.groups.begin(), children.groups.end(),
                     [](const Group& a, const Group& b) {
                       return a.summary().parent_ids->min < b.summary().parent_ids->min;
                     });
    children_.push_back(std::move(children));
  }
}

DenseAhead::~DenseAhead() { Stop(); }

std::shared_ptr<TableFile> DenseAhead::Find(const FileSummary& file) {
  return prefetcher_ == nullptr ? nullptr : prefetcher_->Find(file);
}

void DenseAhead::Follow(const FileSummary& file, int row_group, bool is_dense) {
  while (position_ < roots_.size() &&
         (roots_[position_].file.get() != &file || roots_[position_].index != row_group)) {
    if (prefetcher_ != nullptr && position_ < horizon_) {
      prefetcher_->PassOver(*roots_[position_].file, roots_[position_].index);
    }
    ++position_;
  }
  if (position_ == roots_.size()) {
    return;
  }
  if (!is_dense) {
    num_stops_ += prefetcher_ != nullptr ? 1 : 0;
    Stop();
    return;
  }
  if (num_stops_ >= kMostStops) {
    return;
  }
  const auto& ids = roots_[position_].summary().ids;
  if (prefetcher_ == nullptr) {
    Start();
  } else if (ids.has_value()) {
    LetGoBefore(ids->min);
  }
  if (horizon_ <= position_ + kAhead / 2) {
    Extend();
  }
  prefetcher_->GoOn();
}

void DenseAhead::Start() {
  prefetcher_ = std::make_unique<Prefetcher>(context_->store, context_->base, context_->partition);
  context_->prefetcher = prefetcher_.get();
  horizon_ = position_ + 1;
  const auto& ids = roots_[position_].summary().ids;
  max_id_ = ids.has_value() ? ids->max : max_id_;
  // What begins with children of the row group that is open is opened with it.
  for (Children& children : children_) {
    while (children.next < children.groups.size() &&
           children.groups[children.next].summary().parent_ids->min <= max_id_) {
      ++children.next;
    }
    children.left = children.next;
  }
}

void DenseAhead::Stop() {
  if (prefetcher_ != nullptr) {
    context_->prefetcher = nullptr;
    prefetcher_ = nullptr;
  }
}

/// Asks for more: the children of a row group next to it.
void DenseAhead::Extend() {
  const size_t end = std::min(position_ + 1 + kAhead, roots_.size());
  for (; horizon_ < end; ++horizon_) {
    const Group& root = roots_[horizon_];
    const auto place = static_cast<double>(horizon_);
    const auto& ids = root.summary().ids;
    is_in_order_ = is_in_order_ && (!ids.has_value() || ids->min > max_id_);
    const bool is_wanted = root.summary().num_rows > 0 && may_be_wanted_(root.summary());
    if (is_wanted) {
      prefetcher_->AddRowGroup(root.file, root.index, place);
    }
    if (!ids.has_value() || !is_in_order_) {
      continue;
    }
    max_id_ = ids->max;
    for (Children& children : children_) {
      for (; children.next < children.groups.size() &&
             children.groups[children.next].summary().parent_ids->min <= max_id_;
           ++children.next) {
        if (is_wanted) {
          prefetcher_->AddRowGroup(children.groups[children.next].file,
                                   children.groups[children.next].index, place);
        }
      }
    }
  }
}

/// Lets children go that nobody has opened, and whose parents were read.
void DenseAhead::LetGoBefore(uint32_t id) {
  for (Children& children : children_) {
    for (; children.left < children.next &&
           children.groups[children.left].summary().parent_ids->max < id;
         ++children.left) {
      prefetcher_->PassOver(*children.groups[children.left].file,
                            children.groups[children.left].index);
    }
  }
}

}  // namespace df::lake
