// What all leaf decoders share: walking pages, definition levels, validity. Private to lake/.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <parquet/column_page.h>

#include "lake/format/hybrid_decoder.h"
#include "lake/format/leaf_decoder.h"
#include "lake/format/page_gate.h"

namespace df::lake {

/// Walks the pages of a chunk. A subclass decodes the values that are not null, densely, and builds
/// the array of a slice.
class PagedLeafDecoder : public LeafDecoder {
 public:
  PagedLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                   const parquet::ColumnDescriptor& descriptor, const Location& location);

  Result<LeafSlice> Next(int64_t num_rows, int64_t max_bytes) final;
  int64_t held_bytes() const final;

 protected:
  /// The values of one data page, behind the levels.
  struct PageValues {
    const uint8_t* data = nullptr;
    int64_t size_bytes = 0;
    /// Count of values that are not null; -1 when only the levels know.
    int64_t num_values = 0;
    parquet::Encoding::type encoding = parquet::Encoding::PLAIN;
    bool is_dictionary() const {
      return encoding == parquet::Encoding::RLE_DICTIONARY ||
             encoding == parquet::Encoding::PLAIN_DICTIONARY;
    }
  };

  /// Starts a slice of at most `num_rows` rows.
  virtual Status StartSlice(int64_t num_rows) = 0;
  /// Takes over a dictionary page with `num_values` PLAIN values.
  virtual Status SetDictionary(const uint8_t* data, int64_t size_bytes, int64_t num_values) = 0;
  virtual Status StartPage(const PageValues& page) = 0;
  /// How many rows of the page may still join the slice when its values may take `max_bytes`; 0:
  /// none, but as the first of a slice one is taken anyway.
  virtual int64_t MostRows(int64_t max_bytes) const {
    (void)max_bytes;
    return std::numeric_limits<int64_t>::max();
  }
  /// Bytes of the dictionary.
  virtual int64_t dictionary_bytes() const { return 0; }
  /// Rows of the current page.
  int64_t page_rows() const { return page_rows_; }
  /// Decodes the next `count` values of the page to the end of the dense values of the slice.
  virtual Status DecodeDense(int64_t count) = 0;
  /// Builds the array of the slice: `num_rows` rows, `num_values` of them valid by `validity` (null
  /// when all are).
  virtual Result<std::shared_ptr<arrow::Array>> FinishSlice(
      int64_t num_rows, int64_t num_values, std::shared_ptr<arrow::Buffer> validity) = 0;

  /// Rows of the slice whose text had to be changed; known once it is finished.
  virtual int64_t num_replaced() const { return 0; }

  Status Broken(std::string_view why) const;
  const Location& location() const { return location_; }
  const std::string& column_path() const { return column_path_; }
  const parquet::ColumnDescriptor& descriptor() const { return descriptor_; }

 private:
  template <typename Call>
  Status CatchNamed(Call&& call) const;
  Status NextDataPage();
  Status StartDataPage(const parquet::DataPageV1& page);
  Status StartDataPage(const parquet::DataPageV2& page);
  Status SetDictionaryPage(const parquet::DictionaryPage& page);
  void PassPage(const RefusedPage& page);
  bool PassIndicesWithoutDictionary(parquet::Encoding::type encoding);
  Status DecodeLevels(int64_t first_row, int64_t count, int64_t* num_valid);
  Status AppendLevels(int64_t first_row, int64_t count, bool is_valid, bool has_struct);

  /// Validity of a slice that is only made once the first null is seen.
  struct LazyBitmap {
    std::shared_ptr<arrow::ResizableBuffer> bits;
    Status Ensure(int64_t num_rows, int64_t num_set);
  };

  std::unique_ptr<parquet::PageReader> pages_;
  parquet::ColumnDescriptor descriptor_;
  Location location_;
  std::string column_path_;
  int16_t max_level_;
  bool is_required_in_struct_;
  bool has_dictionary_ = false;

  std::shared_ptr<parquet::Page> page_;  ///< keeps the bytes of the current page alive
  int64_t page_rows_ = 0;
  int64_t page_rows_left_ = 0;
  std::optional<Status>
      page_refusal_;  ///< why the rows of the page are not read; OK: nobody needs them
  std::optional<Status> dictionary_refusal_;  ///< why what points into the dictionary cannot
  std::vector<RefusedRows> refused_;          ///< of the slice
  HybridDecoder levels_;
  bool page_has_levels_ = false;

  int64_t slice_rows_ = 0;
  LazyBitmap validity_;
  LazyBitmap struct_validity_;
  std::vector<uint8_t> level_scratch_;
};

/// `nanos_per_unit` is that of times and durations.
std::unique_ptr<PagedLeafDecoder> MakeFixedLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                                       const parquet::ColumnDescriptor& descriptor,
                                                       const otap::Column& target,
                                                       int64_t nanos_per_unit,
                                                       const Location& location);
std::unique_ptr<PagedLeafDecoder> MakeFixedBinaryLeafDecoder(
    std::unique_ptr<parquet::PageReader> pages, const parquet::ColumnDescriptor& descriptor,
    int num_bytes, const Location& location);
std::unique_ptr<PagedLeafDecoder> MakeBoolLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                                      const parquet::ColumnDescriptor& descriptor,
                                                      const Location& location);
std::unique_ptr<PagedLeafDecoder> MakeBinaryLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                                        const parquet::ColumnDescriptor& descriptor,
                                                        const otap::Column& target,
                                                        const Location& location);

}  // namespace df::lake
