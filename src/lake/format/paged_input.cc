#include "lake/format/paged_input.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <parquet/page_index.h>
#include <parquet/properties.h>

namespace df::lake {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;
/// Of a page there are some 20 bytes in it.
constexpr int64_t kMaxIndexBytes = 16 << 20;

}  // namespace

std::optional<PageIndex> ReadPageIndex(arrow::io::RandomAccessFile* file,
                                       const parquet::ColumnChunkMetaData& chunk,
                                       arrow::io::ReadRange range, int64_t num_rows) {
  const auto location = chunk.GetOffsetIndexLocation();
  if (!location.has_value() || location->offset < 0 || location->length <= 0 ||
      location->length > kMaxIndexBytes) {
    return std::nullopt;
  }
  PageIndex index;
  try {
    const auto bytes = file->ReadAt(location->offset, location->length);
    if (!bytes.ok() || (*bytes)->size() != location->length) {
      return std::nullopt;
    }
    const auto read =
        parquet::OffsetIndex::Make((*bytes)->data(), static_cast<uint32_t>((*bytes)->size()),
                                   parquet::default_reader_properties());
    for (const parquet::PageLocation& page : read->page_locations()) {
      if (!index.pages.empty()) {
        index.pages.back().end_row = page.first_row_index;
      }
      index.pages.push_back({.offset = page.offset,
                             .size_bytes = page.compressed_page_size,
                             .first_row = page.first_row_index,
                             .end_row = num_rows});
    }
  } catch (const std::exception&) {
    return std::nullopt;  // the pages are read one after the other
  }
  if (index.pages.empty() || index.pages.front().first_row != 0 ||
      index.pages.front().offset < range.offset ||
      index.pages.back().end() != range.offset + range.length) {
    return std::nullopt;
  }
  for (size_t i = 0; i < index.pages.size(); ++i) {
    const PageIndex::Page& page = index.pages[i];
    if (page.size_bytes <= 0 || page.first_row >= page.end_row ||
        (i > 0 && index.pages[i - 1].end() != page.offset)) {
      return std::nullopt;
    }
  }
  return index;
}

PagedInput::PagedInput(std::shared_ptr<arrow::io::RandomAccessFile> file,
                       arrow::io::ReadRange range, PageIndex index)
    : file_(std::move(file)),
      begin_(range.offset),
      end_(range.offset + range.length),
      index_(std::move(index)),
      position_(range.offset) {}

/// Returns where the page ends in which the position is, or the dictionary in front of them.
int64_t PagedInput::EndOfPage() const {
  const auto behind = std::upper_bound(
      index_.pages.begin(), index_.pages.end(), position_,
      [](int64_t position, const PageIndex::Page& page) { return position < page.offset; });
  return behind == index_.pages.end() ? end_ : behind->offset;
}

std::string_view PagedInput::Held() const {
  if (held_ == nullptr || position_ < held_position_ ||
      position_ >= held_position_ + held_->size()) {
    return {};
  }
  const std::string_view all(reinterpret_cast<const char*>(held_->data()),
                             static_cast<size_t>(held_->size()));
  return all.substr(static_cast<size_t>(position_ - held_position_));
}

/// Holds `num_bytes` from the position on, and no byte from `end` on.
arrow::Status PagedInput::Fetch(int64_t num_bytes, int64_t end) {
  num_bytes = std::min(num_bytes, end - position_);
  if (num_bytes <= static_cast<int64_t>(Held().size())) {
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(held_, file_->ReadAt(position_, num_bytes));
  held_position_ = position_;
  return arrow::Status::OK();
}

arrow::Result<std::string_view> PagedInput::Glance(int64_t num_bytes) {
  ARROW_RETURN_NOT_OK(Fetch(num_bytes, end_));
  return Held().substr(0, static_cast<size_t>(num_bytes));
}

arrow::Result<std::string_view> PagedInput::Peek(int64_t num_bytes) {
  const int64_t end = EndOfPage();
  if (std::min(num_bytes, end - position_) > static_cast<int64_t>(Held().size())) {
    ARROW_RETURN_NOT_OK(Fetch(std::max(num_bytes, kPieceBytes), end));
  }
  return Held().substr(0, static_cast<size_t>(num_bytes));
}

arrow::Result<int64_t> PagedInput::Read(int64_t num_bytes, void* out) {
  int64_t done = 0;
  while (done < num_bytes && position_ < end_) {
    std::string_view held = Held();
    if (held.empty() && num_bytes - done >= kPieceBytes) {  // no need to hold it
      const int64_t count = std::min(num_bytes - done, end_ - position_);
      ARROW_ASSIGN_OR_RAISE(const int64_t got,
                            file_->ReadAt(position_, count, static_cast<uint8_t*>(out) + done));
      position_ += got;
      return done + got;
    }
    if (held.empty()) {
      ARROW_RETURN_NOT_OK(Fetch(kPieceBytes, EndOfPage()));
      held = Held();
      if (held.empty()) {
        break;  // the file is shorter than it was
      }
    }
    const int64_t count = std::min<int64_t>(num_bytes - done, static_cast<int64_t>(held.size()));
    std::memcpy(static_cast<uint8_t*>(out) + done, held.data(), static_cast<size_t>(count));
    position_ += count;
    done += count;
  }
  return done;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> PagedInput::Read(int64_t num_bytes) {
  num_bytes = std::clamp<int64_t>(num_bytes, 0, end_ - position_);
  if (num_bytes <= static_cast<int64_t>(Held().size())) {
    auto bytes = arrow::SliceBuffer(held_, position_ - held_position_, num_bytes);
    position_ += num_bytes;
    return bytes;
  }
  ARROW_ASSIGN_OR_RAISE(auto bytes, arrow::AllocateResizableBuffer(num_bytes));
  ARROW_ASSIGN_OR_RAISE(const int64_t got, Read(num_bytes, bytes->mutable_data()));
  ARROW_RETURN_NOT_OK(bytes->Resize(got, /*shrink_to_fit=*/false));
  return std::shared_ptr<arrow::Buffer>(std::move(bytes));
}

}  // namespace df::lake
