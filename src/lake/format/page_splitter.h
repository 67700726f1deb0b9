// Gives a large page out as several small ones.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <parquet/column_page.h>
#include <parquet/schema.h>
#include <parquet/types.h>

#include "lake/format/hybrid_decoder.h"
#include "lake/format/page_bytes.h"
#include "lake/format/page_header.h"

namespace df::lake {

/// Stands for rows that were passed over. Its type is UNDEFINED.
class RefusedPage final : public parquet::Page {
 public:
  enum class Kind : uint8_t { kPage, kDictionary, kValue, kUnneeded };
  struct Facts {
    Kind kind = Kind::kPage;
    int64_t num_values = 0;  ///< nulls included
    int64_t size_bytes = 0;  ///< compressed or not, whatever is more
    int64_t max_bytes = 0;   ///< that it may have
  };
  explicit RefusedPage(const Facts& facts)
      : Page(nullptr, parquet::PageType::UNDEFINED), facts_(facts) {}
  const Facts& facts() const { return facts_; }

 private:
  Facts facts_;
};

/// A page with plain values as it stands in a file.
struct StoredPage {
  std::shared_ptr<arrow::io::RandomAccessFile> file;
  bool is_far = false;   ///< of a store where a request costs more than its bytes
  int64_t position = 0;  ///< of the bytes behind its header
  PageHeader header;
  parquet::Compression::type codec = parquet::Compression::UNCOMPRESSED;
  const parquet::ColumnDescriptor* descriptor = nullptr;  ///< of a column that is no list
};

/// Reads one page. Cost: holds its definition levels, and otherwise one piece of some
/// `kPieceBytes`, or one value.
class PageSplitter {
 public:
  static constexpr int64_t kPieceBytes = 1 << 20;

  /// Tells whether pages of this kind can be split: plain values, none of them a list or a bool.
  static bool CanSplit(const PageHeader& header, parquet::Compression::type codec,
                       const parquet::ColumnDescriptor& descriptor);

  /// Reads all of the page once, and checks its checksum and its size.
  /// Errors: Invalid where they are wrong; what the file says where it cannot be read.
  static arrow::Result<std::unique_ptr<PageSplitter>> Make(StoredPage page,
                                                           int64_t max_value_bytes);

  /// Returns the next rows: a data page, or a RefusedPage for a value of more than
  /// `max_value_bytes`. Null behind the last one. Errors: Invalid where the page is broken.
  arrow::Result<std::shared_ptr<parquet::Page>> Next();

 private:
  PageSplitter(StoredPage page, int64_t max_value_bytes);
  arrow::Status Check();
  arrow::Status Begin();
  arrow::Result<std::unique_ptr<PageBytes>> OpenValues() const;
  arrow::Status ReadLevels();
  arrow::Result<uint32_t> NextLevel();
  arrow::Result<bool> TakeValue();
  arrow::Status ReadValue(int64_t size_bytes);
  arrow::Status SkipBytes(int64_t size_bytes);
  std::shared_ptr<parquet::Page> FinishPiece();

  StoredPage page_;
  int64_t max_value_bytes_;
  int64_t value_bytes_;  ///< of each; 0 where each has its length in front
  uint32_t max_level_;
  std::unique_ptr<PageBytes> bytes_;
  int64_t bytes_left_ = 0;
  std::vector<uint8_t> levels_;
  HybridDecoder level_decoder_;
  std::vector<uint8_t> level_block_;
  size_t next_level_ = 0;  ///< of the block
  int64_t rows_left_ = 0;
  std::optional<uint32_t> length_;  ///< of the next value, when it is known

  std::vector<uint8_t> piece_levels_;
  std::vector<uint8_t> piece_values_;
};

}  // namespace df::lake
