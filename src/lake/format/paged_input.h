// Reads a column chunk page by page, without the bytes of pages that nobody needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <parquet/metadata.h>

#include "lake/format/page_header.h"

namespace df::lake {

class FarPages;

/// Rows of a row group that nobody needs; its columns share it.
struct PassedRows {
  std::shared_ptr<FarPages> far;  ///< null: the file is near
  bool has_index = false;         ///< a column can leave out pages
  int64_t before = 0;             ///< rows in front of this one are not needed
  int64_t num_pages = 0;          ///< that were not read
  int64_t num_bytes = 0;          ///< of these
};

/// Where the data pages of a column chunk stand, as its offset index says.
struct PageIndex {
  struct Page {
    int64_t offset = 0;  ///< in the file, of the header
    int64_t size_bytes = 0;
    int64_t first_row = 0;
    int64_t end_row = 0;
    int64_t end() const { return offset + size_bytes; }
    /// Tells whether a page with this header is where and what the index says.
    bool Agrees(const PageHeader& header) const {
      return header.is_data && header.num_values == end_row - first_row &&
             header.header_bytes + header.compressed_bytes == size_bytes;
    }
  };
  std::vector<Page> pages;
};

/// Reads the offset index of a column chunk that stands at `range`; nothing where there is none, or
/// where it cannot be of pages that fill the chunk to its end and hold all rows. Whether it is
/// right is seen page by page.
std::optional<PageIndex> ReadPageIndex(arrow::io::RandomAccessFile* file,
                                       const parquet::ColumnChunkMetaData& chunk,
                                       arrow::io::ReadRange range, int64_t num_rows);

/// The bytes of a column chunk, fetched up to the end of a page or a piece of a large one. Calls:
/// from one thread.
class PagedInput final : public arrow::io::InputStream {
 public:
  /// `index` may have no page: then pieces are fetched.
  PagedInput(std::shared_ptr<arrow::io::RandomAccessFile> file, arrow::io::ReadRange range,
             PageIndex index);

  const PageIndex& index() const { return index_; }
  /// The index is not used any more.
  void ForgetIndex() { index_.pages.clear(); }
  /// Position in the file.
  int64_t position() const { return position_; }
  /// Goes on at a position of the file.
  void Jump(int64_t position) { position_ = position; }
  /// Returns bytes that stand at the current position without fetching more than these; fewer at
  /// the end of the chunk.
  arrow::Result<std::string_view> Glance(int64_t num_bytes);

  /// Returns the next bytes: fewer at the end of a page.
  arrow::Result<std::string_view> Peek(int64_t num_bytes) override;
  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override;
  arrow::Result<int64_t> Tell() const override { return position_ - begin_; }
  arrow::Status Close() override {
    is_closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return is_closed_; }

 private:
  int64_t EndOfPage() const;
  arrow::Status Fetch(int64_t num_bytes, int64_t end);
  std::string_view Held() const;

  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  int64_t begin_;
  int64_t end_;
  PageIndex index_;
  int64_t position_;
  std::shared_ptr<arrow::Buffer> held_;
  int64_t held_position_ = 0;
  bool is_closed_ = false;
};

}  // namespace df::lake
