// Keeps pages out of memory that are larger than a reader may hold.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include <arrow/io/interfaces.h>
#include <parquet/column_reader.h>

#include "lake/format/page_splitter.h"
#include "lake/format/paged_input.h"

namespace df::lake {

/// What a reader may hold of one column. Nothing is read in pieces, or passed over, by default.
struct PageLimits {
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  /// Pages of plain values that have more are read in pieces.
  int64_t piece_bytes = kNone;
  /// Single values, dictionaries and pages that cannot be read in pieces: rows of those that have
  /// more are passed over. Pages of small values are read all the same.
  int64_t page_bytes = kNone;
};

/// A column chunk that is read from front to back.
struct ColumnPages {
  std::shared_ptr<arrow::io::InputStream> stream;  ///< of its bytes
  std::shared_ptr<arrow::io::RandomAccessFile> file;
  bool is_far = false;   ///< see SplitPage::is_far
  int64_t position = 0;  ///< in the file, where the stream begins
  int64_t num_values = 0;
  parquet::Compression::type codec = parquet::Compression::UNCOMPRESSED;
  const parquet::ColumnDescriptor* descriptor = nullptr;  ///< outlives the reader
  /// Either both, or neither: the stream, when it can leave out pages, and rows that nobody needs.
  std::shared_ptr<PagedInput> input = nullptr;
  std::shared_ptr<PassedRows> passed = nullptr;
};

/// Reads pages as parquet::PageReader::Open does, but looks at the header of each first: large
/// pages come as several small ones, and a RefusedPage comes for what is too large; nothing is
/// allocated for it. Pages of rows that nobody needs come as a RefusedPage too, unread. What an
/// index says of a page is compared with its header, so that one that is wrong costs time only.
/// Where the file is far away, that of pages that are left out is believed (FarPages).
std::unique_ptr<parquet::PageReader> OpenGatedPages(ColumnPages column,
                                                    const parquet::ReaderProperties& properties,
                                                    const PageLimits& limits);

}  // namespace df::lake
