// What of a table file is fetched before it is read.
#include <utility>

#include "base/units.h"
#include "lake/format/bloom_filter.h"
#include "lake/format/far_pages.h"
#include "lake/format/own_writer.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/format/table_file.h"

namespace df::lake {
namespace {

/// Columns that most questions need, but not all, are fetched ahead up to this size.
constexpr int64_t kSmallScreenBytes = 64_KiB;

}  // namespace

std::shared_ptr<void> TableFile::Fetch(int row_group, const std::vector<bool>& leaves, bool is_all,
                                       std::optional<int64_t> hole_bytes) {
  std::vector<arrow::io::ReadRange> ranges;
  std::vector<arrow::io::ReadRange> small;
  int64_t num_bytes = 0;
  const auto group = footer_.metadata->RowGroup(row_group);
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    for (const int column : {layout_.columns[leaf], layout_.companions[leaf]}) {
      if (!leaves[leaf] || column < 0) {
        continue;
      }
      const auto range = ChunkRange(row_group, *group->ColumnChunk(column));
      if (!range.ok() || remote_->IsAnnounced(*range)) {
        continue;  // it is told when the column is read, or is there
      }
      ranges.push_back(*range);
      num_bytes += range->length;
      if (range->length <= kWholeChunkBytes) {
        small.push_back(*range);
      }
    }
  }
  return remote_->Announce(
      is_all || num_bytes <= remote_->ahead_left() ? std::move(ranges) : std::move(small),
      hole_bytes);
}

void TableFile::PrefetchScreen(int row_group, const ScreenPlan& plan) {
  if (remote_ == nullptr) {
    return;
  }
  const Status ignored = CatchParquet(location_, [&] {
    if (!plan.trace_ids.empty()) {
      if (const auto bloom = BloomOf(row_group, LeafIndex(kind_, "trace_id")); bloom.has_value()) {
        screens_[row_group] = remote_->Announce(
            BloomRanges(*bloom, {plan.trace_ids.begin(), plan.trace_ids.end()}), 1);
        return Status::OK();
      }
    }
    std::vector<bool> leaves = plan.leaves;
    const auto group = footer_.metadata->RowGroup(row_group);
    for (size_t leaf = 0; leaf < plan.leaves_if_small.size(); ++leaf) {
      const int column = layout_.columns[leaf];
      leaves[leaf] = leaves[leaf] ||
                     (plan.leaves_if_small[leaf] && column >= 0 &&
                      group->ColumnChunk(column)->total_compressed_size() <= kSmallScreenBytes);
    }
    screens_[row_group] = Fetch(row_group, leaves, false, FarPages::HoleOf(*remote_));
    return Status::OK();
  });
}

std::shared_ptr<void> TableFile::Announce(int row_group, const std::vector<bool>& leaves) {
  if (remote_ == nullptr || fetched_.contains(row_group)) {
    return nullptr;
  }
  std::shared_ptr<void> fetched;
  // What the footer says may be wrong; that is told when the columns are read.
  const Status ignored = CatchParquet(location_, [&] {
    fetched = Fetch(row_group, leaves, false);
    return Status::OK();
  });
  return fetched;
}

void TableFile::Prefetch(int row_group, bool is_reserved) {
  if (remote_ == nullptr || fetched_.contains(row_group)) {
    return;
  }
  const Status ignored = CatchParquet(location_, [&] {
    fetched_[row_group] =
        Fetch(row_group, std::vector<bool>(LeavesOf(kind_).size(), true), is_reserved);
    return Status::OK();
  });
}

Result<std::shared_ptr<FarPages>> TableFile::FetchPages(int row_group,
                                                        const std::vector<bool>& leaves,
                                                        const RowStretches& needed) {
  const bool is_known_writer = is_parquet_rs_ || footer_.metadata->created_by() == kOwnWriter;
  if (remote_ == nullptr || !is_known_writer || fetched_.contains(row_group) ||
      !opened_by_page_.insert(row_group).second) {
    return nullptr;
  }
  Location where = location_;
  where.row_group = row_group;
  return CatchParquet(where, [&]() -> Result<std::shared_ptr<FarPages>> {
    std::vector<FarPages::Chunk> chunks;
    const auto group = footer_.metadata->RowGroup(row_group);
    for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      for (const int column : {layout_.columns[leaf], layout_.companions[leaf]}) {
        if (leaves[leaf] && column >= 0) {
          ARROW_ASSIGN_OR_RAISE(const auto range,
                                ChunkRange(row_group, *group->ColumnChunk(column)));
          chunks.push_back({column, range, LeavesOf(kind_)[leaf].is_list()});
        }
      }
    }
    auto pages = FarPages::Make(remote_, *group, std::move(chunks), needed);
    ARROW_RETURN_NOT_OK(WithContext(pages.status(), ErrorKind::kIo, where, true));
    return pages;
  });
}

}  // namespace df::lake
