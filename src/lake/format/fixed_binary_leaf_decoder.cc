// Leaf decoder for fixed-size binary: trace and span ids.
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

template <int kBytes>
using FixedBytes = std::array<uint8_t, kBytes>;

/// Returns the value of a hex digit, or 16.
uint8_t HexDigit(uint8_t digit) {
  if (digit >= '0' && digit <= '9') {
    return static_cast<uint8_t>(digit - '0');
  }
  const auto lower = static_cast<uint8_t>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<uint8_t>(lower - 'a' + 10) : uint8_t{16};
}

/// Decodes fixed-size binary, from its own Parquet form, from byte arrays that all have the size,
/// or from texts that all are its hex digits.
template <int kBytes>
class FixedBinaryLeafDecoder final : public PagedLeafDecoder {
  using Value = FixedBytes<kBytes>;

 public:
  FixedBinaryLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                         const parquet::ColumnDescriptor& descriptor, const Location& location)
      : PagedLeafDecoder(std::move(pages), descriptor, location),
        has_prefix_(descriptor.physical_type() == parquet::Type::BYTE_ARRAY),
        is_hex_(has_prefix_ && descriptor.logical_type() != nullptr &&
                descriptor.logical_type()->is_string()),
        stored_bytes_(is_hex_ ? 2 * kBytes : kBytes) {}

 protected:
  Status StartSlice(int64_t num_rows) override {
    ARROW_ASSIGN_OR_RAISE(dense_, arrow::AllocateResizableBuffer(num_rows * kBytes));
    num_dense_ = 0;
    return Status::OK();
  }

  Status SetDictionary(const uint8_t* data, int64_t size_bytes, int64_t num_values) override {
    if (num_values < 0 || num_values > size_bytes / stored_bytes_) {
      return Broken(
          fmt::format("has a dictionary page of {} bytes for {} values", size_bytes, num_values));
    }
    dictionary_.resize(static_cast<size_t>(num_values));
    return TakePlain(&data, &size_bytes, num_values, dictionary_.data());
  }

  Status StartPage(const PageValues& page) override {
    page_ = page;
    if (page.is_dictionary()) {
      const int bit_width = page.size_bytes < 1 ? 0 : page.data[0];
      if (bit_width > 32) {
        return Broken(fmt::format("has dictionary indices of {} bits", bit_width));
      }
      indices_ = page.size_bytes < 1 ? HybridDecoder(page.data, 0, 0)
                                     : HybridDecoder(page.data + 1, page.size_bytes - 1, bit_width);
    } else if (page.encoding != parquet::Encoding::PLAIN) {
      return StartDecoder();
    }
    return Status::OK();
  }

  Status DecodeDense(int64_t count) override {
    Value* out = reinterpret_cast<Value*>(dense_->mutable_data()) + num_dense_;
    num_dense_ += count;
    if (page_.is_dictionary()) {
      return DecodeIndices(count, out);
    }
    if (page_.encoding == parquet::Encoding::PLAIN) {
      return TakePlain(&page_.data, &page_.size_bytes, count, out);
    }
    return DecodeOther(count, out);
  }

  Result<std::shared_ptr<arrow::Array>> FinishSlice(
      int64_t num_rows, int64_t num_values, std::shared_ptr<arrow::Buffer> validity) override {
    std::shared_ptr<arrow::Buffer> values = std::move(dense_);
    if (num_values < num_rows) {
      ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> spread,
                            arrow::AllocateBuffer(num_rows * kBytes));
      const Value* in = reinterpret_cast<const Value*>(values->data());
      Value* out = reinterpret_cast<Value*>(spread->mutable_data());
      for (int64_t row = 0; row < num_rows; ++row) {
        out[row] = arrow::bit_util::GetBit(validity->data(), row) ? *in++ : Value{};
      }
      values = std::move(spread);
    } else {
      validity = nullptr;
    }
    return arrow::MakeArray(arrow::ArrayData::Make(arrow::fixed_size_binary(kBytes), num_rows,
                                                   {std::move(validity), std::move(values)},
                                                   num_rows - num_values));
  }

 private:
  Status TakePlain(const uint8_t** data, int64_t* size_bytes, int64_t count, Value* out) {
    const int64_t stride = stored_bytes_ + (has_prefix_ ? 4 : 0);
    const int64_t available = std::min(count, *size_bytes / stride);
    const uint8_t* in = *data;
    for (int64_t i = 0; has_prefix_ && i < available; ++i, in += stride) {
      uint32_t length = 0;
      std::memcpy(&length, in, sizeof(length));
      if (length != stored_bytes_) {
        return WrongLength(length);
      }
      ARROW_RETURN_NOT_OK(Take(in + sizeof(length), &out[i]));
    }
    if (available < count) {
      uint32_t length = 0;
      if (has_prefix_ && *size_bytes - available * stride >= 4) {
        std::memcpy(&length, in, sizeof(length));
        return length == stored_bytes_ ? Broken("has a page that is cut short")
                                       : WrongLength(length);
      }
      return Broken("has a page with fewer values than its levels say");
    }
    if (!has_prefix_ && count > 0) {
      std::memcpy(out, in, static_cast<size_t>(count * stride));
    }
    *data += count * stride;
    *size_bytes -= count * stride;
    return Status::OK();
  }

  /// Takes one value of stored_bytes_.
  Status Take(const uint8_t* in, Value* out) const {
    if (!is_hex_) {
      std::memcpy(out, in, kBytes);
      return Status::OK();
    }
    for (size_t i = 0; i < kBytes; ++i) {
      const uint8_t high = HexDigit(in[2 * i]);
      const uint8_t low = HexDigit(in[2 * i + 1]);
      if (high > 15 || low > 15) {
        return MakeError(ErrorKind::kArrow,
                         fmt::format("column {}: found a text that is not {} hex digits",
                                     this->column_path(), stored_bytes_),
                         this->location());
      }
      (*out)[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return Status::OK();
  }

  Status WrongLength(uint32_t length) const {
    return MakeError(
        ErrorKind::kArrow,
        fmt::format("column {}: found a value of {} bytes, expected {}{}", this->column_path(),
                    length, stored_bytes_, is_hex_ ? " hex digits" : ""),
        this->location());
  }

  Status DecodeIndices(int64_t count, Value* out) {
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
        out[done + i] = dictionary_[index];
      }
      done += wanted;
    }
    return Status::OK();
  }

  Status StartDecoder() {
    constexpr int kMany = std::numeric_limits<int32_t>::max();
    if (has_prefix_) {
      bytes_decoder_ =
          parquet::MakeTypedDecoder<parquet::ByteArrayType>(page_.encoding, &this->descriptor());
      bytes_decoder_->SetData(kMany, page_.data, static_cast<int>(page_.size_bytes));
    } else {
      fixed_decoder_ =
          parquet::MakeTypedDecoder<parquet::FLBAType>(page_.encoding, &this->descriptor());
      fixed_decoder_->SetData(kMany, page_.data, static_cast<int>(page_.size_bytes));
    }
    return Status::OK();
  }

  Status DecodeOther(int64_t count, Value* out) {
    for (int64_t done = 0; done < count;) {
      const int wanted = static_cast<int>(std::min(count - done, kBlock));
      int got = 0;
      if (has_prefix_) {
        std::array<parquet::ByteArray, kBlock> block;
        got = bytes_decoder_->Decode(block.data(), wanted);
        for (int i = 0; i < got; ++i) {
          if (block[static_cast<size_t>(i)].len != stored_bytes_) {
            return WrongLength(block[static_cast<size_t>(i)].len);
          }
          ARROW_RETURN_NOT_OK(Take(block[static_cast<size_t>(i)].ptr, &out[done + i]));
        }
      } else {
        std::array<parquet::FixedLenByteArray, kBlock> block;
        got = fixed_decoder_->Decode(block.data(), wanted);
        for (int i = 0; i < got; ++i) {
          std::memcpy(&out[done + i], block[static_cast<size_t>(i)].ptr, kBytes);
        }
      }
      if (got <= 0) {
        return Broken("has a page with fewer values than its levels say");
      }
      done += got;
    }
    return Status::OK();
  }

  bool has_prefix_;
  bool is_hex_;
  uint32_t stored_bytes_;
  std::vector<Value> dictionary_;
  PageValues page_;
  HybridDecoder indices_;
  std::unique_ptr<parquet::EncodingTraits<parquet::ByteArrayType>::Decoder> bytes_decoder_;
  std::unique_ptr<parquet::EncodingTraits<parquet::FLBAType>::Decoder> fixed_decoder_;
  std::shared_ptr<arrow::ResizableBuffer> dense_;
  int64_t num_dense_ = 0;
};

}  // namespace

std::unique_ptr<PagedLeafDecoder> MakeFixedBinaryLeafDecoder(
    std::unique_ptr<parquet::PageReader> pages, const parquet::ColumnDescriptor& descriptor,
    int num_bytes, const Location& location) {
  if (num_bytes == 8) {
    return std::make_unique<FixedBinaryLeafDecoder<8>>(std::move(pages), descriptor, location);
  }
  return std::make_unique<FixedBinaryLeafDecoder<16>>(std::move(pages), descriptor, location);
}

}  // namespace df::lake
