#include "lake/format/far_pages.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "lake/format/page_header.h"

namespace df::lake {
namespace {

/// Smaller row groups are fetched whole: the requests would cost more than the bytes.
constexpr int64_t kLeastBytes = 256_KiB;

constexpr int64_t kHoleShare = 16;

/// Headers of pages have statistics of at most two values.
constexpr int64_t kHeaderBytes = 4_KiB;

/// So many bytes of pages are fetched before somebody asks for them.
constexpr int64_t kMostAheadBytes = 8_MiB;

int64_t SumBytes(const std::vector<PageIndex::Page>& pages) {
  int64_t sum = 0;
  for (const PageIndex::Page& page : pages) {
    sum += page.size_bytes;
  }
  return sum;
}

bool IsBefore(const PageIndex::Page& a, const PageIndex::Page& b) { return a.offset < b.offset; }

}  // namespace

arrow::Result<std::shared_ptr<FarPages>> FarPages::Make(std::shared_ptr<storage::RemoteFile> file,
                                                        const parquet::RowGroupMetaData& row_group,
                                                        std::vector<Chunk> chunks,
                                                        const RowStretches& needed) {
  int64_t all_bytes = 0;
  for (const Chunk& chunk : chunks) {
    all_bytes += chunk.range.length;
  }
  if (all_bytes < kLeastBytes || CountRows(needed) > row_group.num_rows() / 2) {
    return nullptr;
  }
  std::shared_ptr<FarPages> pages(new FarPages(std::move(file), row_group.num_rows()));
  pages->ReadIndexes(row_group, &chunks);
  std::vector<arrow::io::ReadRange> others;
  int64_t num_bytes = 0;
  for (const Chunk& chunk : chunks) {
    others.push_back(chunk.range);
    if (const PageIndex* index = pages->IndexAt(chunk.range.offset); index != nullptr) {
      others.back().length = index->pages.front().offset - chunk.range.offset;  // the dictionary
    }
    num_bytes += others.back().length;
  }
  const std::vector<PageIndex::Page> first = pages->PagesOf(needed);
  num_bytes += SumBytes(first);
  if (num_bytes > std::min(all_bytes / 2, pages->file_->ahead_left())) {
    return nullptr;
  }
  pages->Announce(first, std::move(others));
  pages->rows_fetched_ = CountRows(needed);
  ARROW_ASSIGN_OR_RAISE(const bool is_right, pages->Check(first));
  return is_right ? pages : nullptr;
}

int64_t FarPages::HoleOf(const storage::RemoteFile& file) {
  return std::max<int64_t>(file.options().hole_bytes / kHoleShare, 1);
}

const PageIndex* FarPages::IndexAt(int64_t position) const {
  const auto found = columns_.find(position);
  return found == columns_.end() ? nullptr : &found->second.index;
}

/// All indexes of a row group stand side by side behind the last one: few requests.
void FarPages::ReadIndexes(const parquet::RowGroupMetaData& row_group, std::vector<Chunk>* chunks) {
  std::vector<arrow::io::ReadRange> ranges;
  for (Chunk& chunk : *chunks) {
    const auto location = row_group.ColumnChunk(chunk.column)->GetOffsetIndexLocation();
    chunk.is_whole = chunk.is_whole || chunk.range.length <= kFewBytes || !location.has_value();
    if (!chunk.is_whole && location->offset > 0 && location->length > 0) {
      ranges.push_back({location->offset, location->length});
    }
  }
  const auto held = file_->Announce(std::move(ranges));
  for (const Chunk& chunk : *chunks) {
    if (chunk.is_whole) {
      continue;
    }
    auto index =
        ReadPageIndex(file_.get(), *row_group.ColumnChunk(chunk.column), chunk.range, num_rows_);
    if (index.has_value() && index->pages.size() > 1) {
      Column& column = columns_[chunk.range.offset];
      column.is_fetched.assign(index->pages.size(), false);
      column.index = *std::move(index);
    }
  }
}

std::vector<PageIndex::Page> FarPages::PagesOf(const RowStretches& rows) const {
  std::vector<PageIndex::Page> found;
  for (const auto& [position, column] : columns_) {
    const auto& pages = column.index.pages;
    size_t page = 0;
    for (const RowStretch& stretch : rows) {
      page = static_cast<size_t>(
          std::partition_point(pages.begin() + static_cast<std::ptrdiff_t>(page), pages.end(),
                               [&](const auto& one) { return one.end_row <= stretch.first; }) -
          pages.begin());
      for (; page < pages.size() && pages[page].first_row < stretch.end; ++page) {
        if (!column.is_fetched[page]) {
          found.push_back(pages[page]);
        }
      }
      page -= page > 0 ? 1 : 0;  // it may hold rows of the next stretch, too
    }
  }
  std::sort(found.begin(), found.end(), IsBefore);
  const auto last = std::unique(found.begin(), found.end(),
                                [](const auto& a, const auto& b) { return a.offset == b.offset; });
  found.erase(last, found.end());
  return found;
}

void FarPages::Announce(const std::vector<PageIndex::Page>& pages,
                        std::vector<arrow::io::ReadRange> others) {
  for (const PageIndex::Page& page : pages) {
    others.push_back({page.offset, page.size_bytes});
    Column& column = std::prev(columns_.upper_bound(page.offset))->second;
    const auto at =
        std::lower_bound(column.index.pages.begin(), column.index.pages.end(), page, IsBefore);
    column.is_fetched[static_cast<size_t>(at - column.index.pages.begin())] = true;
  }
  if (auto held = file_->Announce(std::move(others), HoleOf(*file_)); held != nullptr) {
    held_.push_back(std::move(held));
  }
}

/// Compares pages that are fetched with what their index says.
arrow::Result<bool> FarPages::Check(const std::vector<PageIndex::Page>& pages) {
  for (const PageIndex::Page& page : pages) {
    // Without its last byte, or what is kept of it would be let go.
    const int64_t num_bytes = std::min(kHeaderBytes, page.size_bytes - 1);
    ARROW_ASSIGN_OR_RAISE(const auto bytes, file_->ReadAt(page.offset, num_bytes));
    const auto header = ReadPageHeader(
        {reinterpret_cast<const char*>(bytes->data()), static_cast<size_t>(bytes->size())});
    if (!header.ok() || !page.Agrees(*header)) {
      return false;
    }
  }
  return true;
}

arrow::Result<bool> FarPages::Fetch(const RowStretches& rows) {
  std::vector<PageIndex::Page> pages = PagesOf(rows);
  if (pages.empty()) {
    return true;
  }
  RowStretches more = rows;
  more.back().end = std::min(num_rows_, more.back().end + rows_fetched_);
  rows_fetched_ += CountRows(rows);
  std::vector<PageIndex::Page> ahead = PagesOf(more);
  if (SumBytes(ahead) - SumBytes(pages) <= std::min(kMostAheadBytes, file_->ahead_left())) {
    pages = std::move(ahead);
  }
  Announce(pages, {});
  return Check(pages);
}

}  // namespace df::lake
