// Leaf decoder for numbers and times.
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include <arrow/array/data.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>
#include <parquet/encoding.h>
#include <parquet/types.h>

#include "lake/format/number_conversions.h"
#include "lake/format/paged_leaf_decoder.h"

namespace df::lake {
namespace {

using otap::ColumnType;

constexpr int64_t kBlock = 1024;

/// Decodes values whose Parquet form is `PhysicalType` into `Out` with a conversion.
template <typename PhysicalType, typename Src, typename Out, typename Conversion>
class NumberLeafDecoder final : public PagedLeafDecoder {
  using Physical = typename PhysicalType::c_type;
  static_assert(sizeof(Physical) == sizeof(Src));
  static constexpr bool kIsFixed = std::is_same_v<Src, parquet::FixedLenByteArray>;

 public:
  NumberLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                    const parquet::ColumnDescriptor& descriptor,
                    std::shared_ptr<arrow::DataType> type, Conversion conversion,
                    const Location& location)
      : PagedLeafDecoder(std::move(pages), descriptor, location),
        type_(std::move(type)),
        conversion_(conversion) {}

 protected:
  Status StartSlice(int64_t num_rows) override {
    ARROW_ASSIGN_OR_RAISE(
        dense_, arrow::AllocateResizableBuffer(num_rows * static_cast<int64_t>(sizeof(Out))));
    num_dense_ = 0;
    return Status::OK();
  }

  Status SetDictionary(const uint8_t* data, int64_t size_bytes, int64_t num_values) override {
    if (num_values < 0 || num_values > size_bytes / stored_bytes()) {
      return Broken(
          fmt::format("has a dictionary page of {} bytes for {} values", size_bytes, num_values));
    }
    dictionary_.resize(static_cast<size_t>(num_values));
    return num_values == 0 ? Status::OK() : ConvertUnaligned(data, num_values, dictionary_.data());
  }

  Status StartPage(const PageValues& page) override {
    page_ = page;
    if (page.is_dictionary()) {
      if (page.size_bytes < 1) {
        return page.num_values == 0 ? Status::OK() : StartEmptyIndices();
      }
      if (page.data[0] > 32) {
        return Broken(fmt::format("has dictionary indices of {} bits", page.data[0]));
      }
      indices_ = HybridDecoder(page.data + 1, page.size_bytes - 1, page.data[0]);
    } else if (page.encoding != parquet::Encoding::PLAIN) {
      decoder_ = parquet::MakeTypedDecoder<PhysicalType>(page.encoding, &this->descriptor());
      decoder_->SetData(std::numeric_limits<int32_t>::max(), page.data,
                        static_cast<int>(page.size_bytes));
    }
    return Status::OK();
  }

  Status DecodeDense(int64_t count) override {
    Out* out = reinterpret_cast<Out*>(dense_->mutable_data()) + num_dense_;
    num_dense_ += count;
    if (page_.is_dictionary()) {
      return DecodeIndices(count, out);
    }
    if (page_.encoding == parquet::Encoding::PLAIN) {
      const int64_t size_bytes = count * stored_bytes();
      if (size_bytes > page_.size_bytes) {
        return Broken("has a page with fewer values than its levels say");
      }
      ARROW_RETURN_NOT_OK(ConvertUnaligned(page_.data, count, out));
      page_.data += size_bytes;
      page_.size_bytes -= size_bytes;
      return Status::OK();
    }
    std::array<Src, kBlock> block;
    for (int64_t done = 0; done < count;) {
      const int64_t wanted = std::min(count - done, kBlock);
      const int got =
          decoder_->Decode(reinterpret_cast<Physical*>(block.data()), static_cast<int>(wanted));
      if (got <= 0) {
        return Broken("has a page with fewer values than its levels say");
      }
      ARROW_RETURN_NOT_OK(Convert(block.data(), got, out + done));
      done += got;
    }
    return Status::OK();
  }

  Result<std::shared_ptr<arrow::Array>> FinishSlice(
      int64_t num_rows, int64_t num_values, std::shared_ptr<arrow::Buffer> validity) override {
    std::shared_ptr<arrow::Buffer> values = std::move(dense_);
    if (num_values < num_rows) {
      ARROW_ASSIGN_OR_RAISE(values, Spread(*values, num_rows, *validity));
    } else {
      validity = nullptr;
    }
    return arrow::MakeArray(arrow::ArrayData::Make(
        type_, num_rows, {std::move(validity), std::move(values)}, num_rows - num_values));
  }

 private:
  /// Bytes of a value in a page.
  int64_t stored_bytes() const {
    if constexpr (kIsFixed) {
      return this->descriptor().type_length();
    } else {
      return sizeof(Src);
    }
  }

  /// Takes plain values, which may be unaligned; those of a fixed length stay where they are.
  void Load(const uint8_t* data, int64_t count, Src* out) const {
    if constexpr (kIsFixed) {
      for (int64_t i = 0; i < count; ++i) {
        out[i].ptr = data + i * stored_bytes();
      }
    } else {
      std::memcpy(out, data, static_cast<size_t>(count) * sizeof(Src));
    }
  }

  Status StartEmptyIndices() {
    indices_ = HybridDecoder(page_.data, 0, 0);
    return Status::OK();
  }

  Status Convert(const Src* in, int64_t count, Out* out) const {
    if (!conversion_(in, count, out)) {
      return MakeError(
          ErrorKind::kArrow,
          fmt::format("column {}: a value does not fit {}", this->column_path(), type_->ToString()),
          this->location());
    }
    return Status::OK();
  }

  Status ConvertUnaligned(const uint8_t* data, int64_t count, Out* out) const {
    if constexpr (std::is_same_v<Src, Out> && sizeof(Src) == sizeof(Out)) {
      if constexpr (!std::is_same_v<Conversion, TimeConversion>) {
        std::memcpy(out, data, static_cast<size_t>(count) * sizeof(Out));
        return Status::OK();
      }
    }
    std::array<Src, kBlock> block;
    for (int64_t done = 0; done < count; done += kBlock) {
      const int64_t size = std::min(count - done, kBlock);
      Load(data + done * stored_bytes(), size, block.data());
      ARROW_RETURN_NOT_OK(Convert(block.data(), size, out + done));
    }
    return Status::OK();
  }

  Status DecodeIndices(int64_t count, Out* out) {
    const auto dictionary_size = static_cast<uint32_t>(dictionary_.size());
    std::array<uint32_t, kBlock> block;
    for (int64_t done = 0; done < count;) {
      const HybridDecoder::Run run = indices_.Take(std::min(count - done, kBlock));
      if (run.count == 0) {
        return Broken("has fewer dictionary indices than values");
      }
      if (!run.is_packed) {
        if (run.value >= dictionary_size) {
          return IndexPastDictionary(run.value);
        }
        std::fill_n(out + done, run.count, dictionary_[run.value]);
      } else {
        indices_.Unpack(run, block.data());
        uint32_t largest = 0;
        for (int64_t i = 0; i < run.count; ++i) {
          largest = std::max(largest, block[static_cast<size_t>(i)]);
        }
        if (largest >= dictionary_size) {
          return IndexPastDictionary(largest);
        }
        const Out* dictionary = dictionary_.data();
        for (int64_t i = 0; i < run.count; ++i) {
          out[done + i] = dictionary[block[static_cast<size_t>(i)]];
        }
      }
      done += run.count;
    }
    return Status::OK();
  }

  Status IndexPastDictionary(uint32_t index) const {
    return Broken(
        fmt::format("has dictionary index {} in a dictionary of {}", index, dictionary_.size()));
  }

  /// Moves dense values to the rows that are valid; the others become zero.
  static Result<std::shared_ptr<arrow::Buffer>> Spread(const arrow::Buffer& dense, int64_t num_rows,
                                                       const arrow::Buffer& validity) {
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> spread,
                          arrow::AllocateBuffer(num_rows * static_cast<int64_t>(sizeof(Out))));
    const Out* in = reinterpret_cast<const Out*>(dense.data());
    Out* out = reinterpret_cast<Out*>(spread->mutable_data());
    const uint8_t* bits = validity.data();
    for (int64_t row = 0; row < num_rows; ++row) {
      const bool is_valid = arrow::bit_util::GetBit(bits, row);
      out[row] = is_valid ? *in : Out{};
      in += is_valid ? 1 : 0;
    }
    return spread;
  }

  std::shared_ptr<arrow::DataType> type_;
  Conversion conversion_;
  std::vector<Out> dictionary_;
  PageValues page_;
  HybridDecoder indices_;
  std::unique_ptr<typename parquet::EncodingTraits<PhysicalType>::Decoder> decoder_;
  std::shared_ptr<arrow::ResizableBuffer> dense_;
  int64_t num_dense_ = 0;
};

/// What the decoders are made from.
struct Parts {
  std::unique_ptr<parquet::PageReader> pages;
  const parquet::ColumnDescriptor& descriptor;
  std::shared_ptr<arrow::DataType> type;
  const Location& location;
};

template <typename PhysicalType, typename Src, typename Out, typename Conversion>
std::unique_ptr<PagedLeafDecoder> MakeNumber(Parts parts, Conversion conversion) {
  return std::make_unique<NumberLeafDecoder<PhysicalType, Src, Out, Conversion>>(
      std::move(parts.pages), parts.descriptor, std::move(parts.type), conversion, parts.location);
}

bool IsUnsigned(const parquet::ColumnDescriptor& descriptor) {
  const auto& logical = descriptor.logical_type();
  return logical != nullptr && logical->is_int() &&
         !static_cast<const parquet::IntLogicalType&>(*logical).is_signed();
}

template <typename Out>
std::unique_ptr<PagedLeafDecoder> MakeInteger(Parts parts) {
  const bool is_unsigned = IsUnsigned(parts.descriptor);
  if (parts.descriptor.physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY) {
    const DecimalConversion<Out> conversion{parts.descriptor.type_length()};
    return MakeNumber<parquet::FLBAType, parquet::FixedLenByteArray, Out>(std::move(parts),
                                                                          conversion);
  }
  if (parts.descriptor.physical_type() == parquet::Type::DOUBLE) {
    return MakeNumber<parquet::DoubleType, double, Out>(std::move(parts), RealToInteger<Out>{});
  }
  if (parts.descriptor.physical_type() == parquet::Type::INT32) {
    if (is_unsigned) {
      return MakeNumber<parquet::Int32Type, uint32_t, Out>(std::move(parts),
                                                           IntegerConversion<uint32_t, Out>{});
    }
    return MakeNumber<parquet::Int32Type, int32_t, Out>(std::move(parts),
                                                        IntegerConversion<int32_t, Out>{});
  }
  if (is_unsigned) {
    return MakeNumber<parquet::Int64Type, uint64_t, Out>(std::move(parts),
                                                         IntegerConversion<uint64_t, Out>{});
  }
  return MakeNumber<parquet::Int64Type, int64_t, Out>(std::move(parts),
                                                      IntegerConversion<int64_t, Out>{});
}

std::unique_ptr<PagedLeafDecoder> MakeReal(Parts parts) {
  const bool is_unsigned = IsUnsigned(parts.descriptor);
  switch (parts.descriptor.physical_type()) {
    case parquet::Type::FLOAT:
      return MakeNumber<parquet::FloatType, float, double>(std::move(parts),
                                                           FloatConversion<float>{});
    case parquet::Type::INT32:
      return is_unsigned ? MakeNumber<parquet::Int32Type, uint32_t, double>(
                               std::move(parts), IntegerToReal<uint32_t>{})
                         : MakeNumber<parquet::Int32Type, int32_t, double>(
                               std::move(parts), IntegerToReal<int32_t>{});
    case parquet::Type::INT64:
      return is_unsigned ? MakeNumber<parquet::Int64Type, uint64_t, double>(
                               std::move(parts), IntegerToReal<uint64_t>{})
                         : MakeNumber<parquet::Int64Type, int64_t, double>(
                               std::move(parts), IntegerToReal<int64_t>{});
    default:
      return MakeNumber<parquet::DoubleType, double, double>(std::move(parts),
                                                             FloatConversion<double>{});
  }
}

std::unique_ptr<PagedLeafDecoder> MakeTime(Parts parts, int64_t nanos_per_unit) {
  if (parts.descriptor.physical_type() == parquet::Type::INT96) {
    return MakeNumber<parquet::Int96Type, parquet::Int96, int64_t>(std::move(parts),
                                                                   Int96Conversion{});
  }
  if (parts.descriptor.physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY) {
    const DecimalTimeConversion conversion{{parts.descriptor.type_length()}, {nanos_per_unit}};
    return MakeNumber<parquet::FLBAType, parquet::FixedLenByteArray, int64_t>(std::move(parts),
                                                                              conversion);
  }
  return MakeNumber<parquet::Int64Type, int64_t, int64_t>(std::move(parts),
                                                          TimeConversion{nanos_per_unit});
}

}  // namespace

int64_t NanosPerUnit(const parquet::ColumnDescriptor& descriptor) {
  const auto& logical = descriptor.logical_type();
  if (logical == nullptr || !logical->is_timestamp()) {
    return 1;
  }
  switch (static_cast<const parquet::TimestampLogicalType&>(*logical).time_unit()) {
    case parquet::LogicalType::TimeUnit::MILLIS:
      return 1'000'000;
    case parquet::LogicalType::TimeUnit::MICROS:
      return 1'000;
    default:
      return 1;
  }
}

std::unique_ptr<PagedLeafDecoder> MakeFixedLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                                       const parquet::ColumnDescriptor& descriptor,
                                                       const otap::Column& target,
                                                       int64_t nanos_per_unit,
                                                       const Location& location) {
  Parts parts{std::move(pages), descriptor, otap::NativeType(target), location};
  switch (target.type) {
    case ColumnType::kUInt8:
      return MakeInteger<uint8_t>(std::move(parts));
    case ColumnType::kUInt16:
      return MakeInteger<uint16_t>(std::move(parts));
    case ColumnType::kUInt32:
      return MakeInteger<uint32_t>(std::move(parts));
    case ColumnType::kUInt64:
      return MakeInteger<uint64_t>(std::move(parts));
    case ColumnType::kInt32:
      return MakeInteger<int32_t>(std::move(parts));
    case ColumnType::kInt64:
      return MakeInteger<int64_t>(std::move(parts));
    case ColumnType::kTimestamp:
    case ColumnType::kDuration:
      return MakeTime(std::move(parts), nanos_per_unit);
    default:
      return MakeReal(std::move(parts));
  }
}

}  // namespace df::lake
