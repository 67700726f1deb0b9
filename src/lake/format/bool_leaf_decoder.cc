// Leaf decoder for booleans.
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/data.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>
#include <parquet/encoding.h>
#include <parquet/types.h>

#include "lake/format/paged_leaf_decoder.h"

namespace df::lake {
namespace {

constexpr int64_t kBlock = 1024;

/// Decodes booleans: rare and small, so one byte per value on the way is fine.
class BoolLeafDecoder final : public PagedLeafDecoder {
 public:
  using PagedLeafDecoder::PagedLeafDecoder;

 protected:
  Status StartSlice(int64_t num_rows) override {
    dense_.clear();
    dense_.reserve(static_cast<size_t>(num_rows));
    return Status::OK();
  }
  /// The format has no dictionaries of booleans; some writers make them all the same.
  Status SetDictionary(const uint8_t* data, int64_t size_bytes, int64_t num_values) override {
    if (num_values < 0 || num_values > size_bytes * 8) {
      return Broken(
          fmt::format("has a dictionary page of {} bytes for {} values", size_bytes, num_values));
    }
    for (int64_t i = 0; i < num_values; ++i) {
      dictionary_.push_back(arrow::bit_util::GetBit(data, i) ? 1 : 0);
    }
    return Status::OK();
  }
  Status StartPage(const PageValues& page) override {
    is_dictionary_ = page.is_dictionary();
    if (is_dictionary_) {
      const int bit_width = page.size_bytes < 1 ? 0 : page.data[0];
      if (bit_width > 32) {
        return Broken(fmt::format("has dictionary indices of {} bits", bit_width));
      }
      indices_ = page.size_bytes < 1 ? HybridDecoder(page.data, 0, 0)
                                     : HybridDecoder(page.data + 1, page.size_bytes - 1, bit_width);
      return Status::OK();
    }
    decoder_ = parquet::MakeTypedDecoder<parquet::BooleanType>(page.encoding, &descriptor());
    const int64_t most = page.encoding == parquet::Encoding::PLAIN
                             ? page.size_bytes * 8
                             : std::numeric_limits<int32_t>::max();
    decoder_->SetData(
        static_cast<int>(std::min<int64_t>(most, std::numeric_limits<int32_t>::max())), page.data,
        static_cast<int>(page.size_bytes));
    return Status::OK();
  }
  Status DecodeDense(int64_t count) override {
    if (is_dictionary_) {
      return DecodeIndices(count);
    }
    std::array<bool, kBlock> block;
    for (int64_t done = 0; done < count;) {
      const int got =
          decoder_->Decode(block.data(), static_cast<int>(std::min(count - done, kBlock)));
      if (got <= 0) {
        return Broken("has a page with fewer values than its levels say");
      }
      dense_.insert(dense_.end(), block.begin(), block.begin() + got);
      done += got;
    }
    return Status::OK();
  }
  Result<std::shared_ptr<arrow::Array>> FinishSlice(
      int64_t num_rows, int64_t num_values, std::shared_ptr<arrow::Buffer> validity) override {
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bits,
                          arrow::AllocateEmptyBitmap(num_rows));
    size_t next = 0;
    for (int64_t row = 0; row < num_rows; ++row) {
      if (validity == nullptr || arrow::bit_util::GetBit(validity->data(), row)) {
        arrow::bit_util::SetBitTo(bits->mutable_data(), row, dense_[next++] != 0);
      }
    }
    return arrow::MakeArray(arrow::ArrayData::Make(
        arrow::boolean(), num_rows, {std::move(validity), std::move(bits)}, num_rows - num_values));
  }

 private:
  Status DecodeIndices(int64_t count) {
    std::array<uint32_t, kBlock> block;
    for (int64_t done = 0; done < count;) {
      const int64_t wanted = std::min(count - done, kBlock);
      if (indices_.Decode(wanted, block.data()) != wanted) {
        return Broken("has fewer dictionary indices than values");
      }
      for (int64_t i = 0; i < wanted; ++i) {
        const uint32_t index = block[static_cast<size_t>(i)];
        if (index >= dictionary_.size()) {
          return Broken(fmt::format("has dictionary index {} in a dictionary of {}", index,
                                    dictionary_.size()));
        }
        dense_.push_back(dictionary_[index]);
      }
      done += wanted;
    }
    return Status::OK();
  }

  std::vector<uint8_t> dense_;
  std::vector<uint8_t> dictionary_;
  bool is_dictionary_ = false;
  HybridDecoder indices_;
  std::unique_ptr<parquet::EncodingTraits<parquet::BooleanType>::Decoder> decoder_;
};

}  // namespace

std::unique_ptr<PagedLeafDecoder> MakeBoolLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                                      const parquet::ColumnDescriptor& descriptor,
                                                      const Location& location) {
  return std::make_unique<BoolLeafDecoder>(std::move(pages), descriptor, location);
}

}  // namespace df::lake
