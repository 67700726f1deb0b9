// Leaf decoder for text and binary of any length.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include <arrow/array/array_dict.h>
#include <arrow/array/data.h>
#include <arrow/buffer_builder.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>
#include <parquet/encoding.h>
#include <parquet/types.h>

#include "base/text.h"
#include "lake/format/paged_leaf_decoder.h"

namespace df::lake {
namespace {

constexpr int64_t kBlock = 1024;

/// In front of each plain value.
constexpr int64_t kLengthBytes = 4;

/// A slice starts with room for the values that the one before it had, up to so many bytes.
constexpr int64_t kMostReserved = 4 << 20;

/// Fewer bytes that a slice has too many are not worth a copy of the others.
constexpr int64_t kLeastSpare = 1 << 10;

/// A slice is a list of stretches: indices into the dictionary, or plain values. As long as all are
/// indices and the dictionary is small enough for 16-bit keys, the slice keeps it; else it becomes
/// a native array.
class BinaryLeafDecoder final : public PagedLeafDecoder {
 public:
  BinaryLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                    const parquet::ColumnDescriptor& descriptor,
                    std::shared_ptr<arrow::DataType> type, const Location& location)
      : PagedLeafDecoder(std::move(pages), descriptor, location),
        type_(std::move(type)),
        is_text_(type_->id() == arrow::Type::STRING) {}

 protected:
  int64_t num_replaced() const override { return num_replaced_; }

  Status StartSlice(int64_t num_rows) override {
    num_replaced_ = 0;
    stretches_.clear();
    plain_offsets_.assign(1, 0);
    plain_bytes_.Reset();
    ARROW_RETURN_NOT_OK(plain_bytes_.Reserve(std::min(last_plain_bytes_, kMostReserved)));
    num_indices_ = 0;
    num_summed_ = 0;
    index_bytes_ = 0;
    ARROW_ASSIGN_OR_RAISE(indices_buffer_, arrow::AllocateResizableBuffer(num_rows * IndexBytes()));
    return Status::OK();
  }

  Status SetDictionary(const uint8_t* data, int64_t size_bytes, int64_t num_values) override {
    if (num_values < 0 || num_values > size_bytes / 4) {
      return Broken(
          fmt::format("has a dictionary page of {} bytes for {} values", size_bytes, num_values));
    }
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> offsets,
                          arrow::AllocateBuffer((num_values + 1) * 4));
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bytes,
                          arrow::AllocateBuffer(size_bytes - num_values * 4));
    auto* offset = reinterpret_cast<int32_t*>(offsets->mutable_data());
    uint8_t* out = bytes->mutable_data();
    const int64_t page_bytes = size_bytes;
    int64_t total = 0;
    for (int64_t i = 0; i < num_values; ++i) {
      offset[i] = static_cast<int32_t>(total);
      ARROW_ASSIGN_OR_RAISE(const std::string_view value, TakePlain(&data, &size_bytes));
      // Where the page counts more values than it has, they take the room of the lengths of others.
      if (static_cast<int64_t>(value.size()) > bytes->size() - total) [[unlikely]] {
        return Broken(
            fmt::format("has a dictionary page of {} bytes for {} values", page_bytes, num_values));
      }
      std::memcpy(out + total, value.data(), value.size());
      total += static_cast<int64_t>(value.size());
    }
    offset[num_values] = static_cast<int32_t>(total);
    dictionary_size_ = num_values;
    if (is_text_ && !IsUtf8(offset, num_values, out)) {
      is_replaced_.assign(static_cast<size_t>(num_values), false);
      ARROW_RETURN_NOT_OK(Replace(num_values, &offsets, &bytes,
                                  [&](int64_t i) { is_replaced_[static_cast<size_t>(i)] = true; }));
    }
    dictionary_offsets_ = reinterpret_cast<const int32_t*>(offsets->data());
    largest_entry_bytes_ = 0;
    for (int64_t i = 0; i < num_values; ++i) {
      largest_entry_bytes_ = std::max<int64_t>(largest_entry_bytes_,
                                               dictionary_offsets_[i + 1] - dictionary_offsets_[i]);
    }
    dictionary_held_bytes_ = offsets->size() + bytes->size();
    dictionary_bytes_ = bytes->data();
    dictionary_ = arrow::MakeArray(arrow::ArrayData::Make(
        type_, num_values, {nullptr, std::move(offsets), std::move(bytes)}, 0));
    const bool was_wide = is_wide_;
    is_wide_ = num_values > otap::kMaxDictionary16;
    if (is_wide_ != was_wide) {  // the slice was started before its dictionary was known
      return indices_buffer_->Resize(indices_buffer_->size() * 2);
    }
    return Status::OK();
  }

  /// Values of the slice are copied but for those of a narrow dictionary, as long as all are.
  int64_t MostRows(int64_t max_bytes) const override {
    const bool is_index = page_.is_dictionary();
    const bool has_plain = plain_offsets_.size() > 1;
    if (is_index && !has_plain && !is_wide_) {
      return std::numeric_limits<int64_t>::max();
    }
    const int64_t room = max_bytes - plain_bytes_.length() - IndexedBytes();
    const int64_t row_bytes =
        is_index ? largest_entry_bytes_ : page_bytes_ / std::max<int64_t>(page_rows(), 1);
    return room <= 0 ? 0 : room / std::max<int64_t>(row_bytes, 1);
  }

  int64_t dictionary_bytes() const override { return dictionary_held_bytes_; }

  Status StartPage(const PageValues& page) override {
    page_ = page;
    page_bytes_ = page.size_bytes;
    if (page.is_dictionary()) {
      const int bit_width = page.size_bytes < 1 ? 0 : page.data[0];
      if (bit_width > 32) {
        return Broken(fmt::format("has dictionary indices of {} bits", bit_width));
      }
      indices_ = page.size_bytes < 1 ? HybridDecoder(page.data, 0, 0)
                                     : HybridDecoder(page.data + 1, page.size_bytes - 1, bit_width);
    } else if (page.encoding != parquet::Encoding::PLAIN) {
      decoder_ = parquet::MakeTypedDecoder<parquet::ByteArrayType>(page.encoding, &descriptor());
      decoder_->SetData(std::numeric_limits<int32_t>::max(), page.data,
                        static_cast<int>(page.size_bytes));
    }
    return Status::OK();
  }

  Status DecodeDense(int64_t count) override {
    if (stretches_.empty() || stretches_.back().is_index != page_.is_dictionary()) {
      stretches_.push_back({page_.is_dictionary(), 0});
    }
    stretches_.back().count += count;
    if (page_.is_dictionary()) {
      return is_wide_ ? DecodeIndices<uint32_t>(count) : DecodeIndices<uint16_t>(count);
    }
    return page_.encoding == parquet::Encoding::PLAIN ? DecodePlain(count) : DecodeOther(count);
  }

  Result<std::shared_ptr<arrow::Array>> FinishSlice(
      int64_t num_rows, int64_t num_values, std::shared_ptr<arrow::Buffer> validity) override {
    if (num_values == num_rows) {
      validity = nullptr;
    }
    for (int64_t i = 0; !is_replaced_.empty() && i < num_indices_; ++i) {
      num_replaced_ += is_replaced_[static_cast<size_t>(DictionaryIndex(i))] ? 1 : 0;
    }
    if (stretches_.size() == 1 && stretches_.front().is_index && !is_wide_) {
      return FinishDictionary(num_rows, num_values, std::move(validity));
    }
    return FinishNative(num_rows, num_values, std::move(validity));
  }

 private:
  struct Stretch {
    bool is_index;
    int64_t count;
  };

  /// Tells whether values that stand one behind the other are all valid UTF-8: all of them
  /// together are, and none starts inside a character.
  static bool IsUtf8(const int32_t* offsets, int64_t num_values, const uint8_t* bytes) {
    const auto whole = std::string_view(reinterpret_cast<const char*>(bytes),
                                        static_cast<size_t>(offsets[num_values]));
    if (!IsValidUtf8(whole)) {
      return false;
    }
    for (int64_t i = 0; i < num_values; ++i) {
      if (offsets[i] < offsets[num_values] && (bytes[offsets[i]] & 0xC0) == 0x80) {
        return false;
      }
    }
    return true;
  }

  /// Replaces what is not UTF-8 in values and calls `on_replaced` with the place of each value that
  /// changed.
  template <typename OnReplaced>
  Status Replace(int64_t num_values, std::shared_ptr<arrow::Buffer>* offsets,
                 std::shared_ptr<arrow::Buffer>* bytes, OnReplaced&& on_replaced) const {
    const auto* offset = reinterpret_cast<const int32_t*>((*offsets)->data());
    const auto* data = reinterpret_cast<const char*>((*bytes)->data());
    std::vector<int32_t> new_offsets = {0};
    std::string text;
    for (int64_t i = 0; i < num_values; ++i) {
      const std::string_view value(data + offset[i],
                                   static_cast<size_t>(offset[i + 1] - offset[i]));
      if (IsValidUtf8(value)) {
        text += value;
      } else {
        AppendReplacingInvalidUtf8(value, &text);
        on_replaced(i);
      }
      if (text.size() > std::numeric_limits<int32_t>::max()) {
        return MakeError(ErrorKind::kArrow,
                         fmt::format("column {}: text that is not UTF-8 grows past what an array "
                                     "can hold when it is replaced",
                                     column_path()),
                         location());
      }
      new_offsets.push_back(static_cast<int32_t>(text.size()));
    }
    *offsets = arrow::Buffer::FromVector(std::move(new_offsets));
    *bytes = arrow::Buffer::FromString(std::move(text));
    return Status::OK();
  }

  int64_t IndexBytes() const { return is_wide_ ? 4 : 2; }

  /// Bytes that the values take which the slice has as indices.
  int64_t IndexedBytes() const {
    for (; num_summed_ < num_indices_; ++num_summed_) {
      index_bytes_ += static_cast<int64_t>(DictionaryValue(num_summed_).size());
    }
    return index_bytes_;
  }

  [[gnu::always_inline]] Result<std::string_view> TakePlain(const uint8_t** data,
                                                            int64_t* size_bytes) {
    uint32_t length = 0;
    if (*size_bytes < kLengthBytes) [[unlikely]] {
      return Broken("has a page with fewer values than its levels say");
    }
    std::memcpy(&length, *data, sizeof(length));
    if (length > *size_bytes - kLengthBytes) [[unlikely]] {
      return ValuePastPage(length, *size_bytes);
    }
    const std::string_view value(reinterpret_cast<const char*>(*data) + kLengthBytes, length);
    *data += kLengthBytes + length;
    *size_bytes -= kLengthBytes + int64_t{length};
    return value;
  }

  Status ValuePastPage(uint32_t length, int64_t size_bytes) const {
    return Broken(fmt::format("has a value of {} bytes in {} bytes of page", length,
                              size_bytes - kLengthBytes));
  }

  template <typename Index>
  Status DecodeIndices(int64_t count) {
    Index* out = reinterpret_cast<Index*>(indices_buffer_->mutable_data()) + num_indices_;
    const auto limit = static_cast<uint32_t>(dictionary_size_);
    for (int64_t done = 0; done < count;) {
      const HybridDecoder::Run run = indices_.Take(count - done);
      if (run.count == 0) {
        return Broken("has fewer dictionary indices than values");
      }
      // Wider indices than the dictionary needs are legal, so they are checked before they are
      // narrowed.
      if (!run.is_packed) {
        if (run.value >= limit) {
          return IndexPastDictionary(run.value);
        }
        std::fill_n(out + done, run.count, static_cast<Index>(run.value));
      } else if (page_.data[0] <= static_cast<int>(8 * sizeof(Index))) {
        indices_.Unpack(run, out + done);
        Index largest = 0;
        for (int64_t i = 0; i < run.count; ++i) {
          largest = std::max(largest, out[done + i]);
        }
        if (largest >= limit) {
          return IndexPastDictionary(largest);
        }
      } else {
        wide_scratch_.resize(static_cast<size_t>(run.count));
        indices_.Unpack(run, wide_scratch_.data());
        for (int64_t i = 0; i < run.count; ++i) {
          const uint32_t index = wide_scratch_[static_cast<size_t>(i)];
          if (index >= limit) {
            return IndexPastDictionary(index);
          }
          out[done + i] = static_cast<Index>(index);
        }
      }
      done += run.count;
    }
    num_indices_ += count;
    return Status::OK();
  }

  Status IndexPastDictionary(uint32_t index) const {
    return Broken(
        fmt::format("has dictionary index {} in a dictionary of {}", index, dictionary_size_));
  }

  Status AppendPlain(std::string_view value) {
    if (!value.empty()) {  // there may be no buffer yet
      ARROW_RETURN_NOT_OK(plain_bytes_.Append(value.data(), static_cast<int64_t>(value.size())));
    }
    plain_offsets_.push_back(plain_bytes_.length());
    return Status::OK();
  }

  /// Twice over the values: once for their lengths, so that the bytes are reserved at once.
  Status DecodePlain(int64_t count) {
    const size_t first = plain_offsets_.size();
    plain_offsets_.resize(first + static_cast<size_t>(count));
    const uint8_t* from = page_.data;
    int64_t end = plain_bytes_.length();
    for (int64_t i = 0; i < count; ++i) {
      ARROW_ASSIGN_OR_RAISE(const std::string_view value,
                            TakePlain(&page_.data, &page_.size_bytes));
      end += static_cast<int64_t>(value.size());
      plain_offsets_[first + static_cast<size_t>(i)] = end;
    }
    ARROW_RETURN_NOT_OK(plain_bytes_.Reserve(std::max<int64_t>(end - plain_bytes_.length(), 1)));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t length = plain_offsets_[first + static_cast<size_t>(i)] - plain_bytes_.length();
      plain_bytes_.UnsafeAppend(from + kLengthBytes, length);
      from += kLengthBytes + length;
    }
    return Status::OK();
  }

  Status DecodeOther(int64_t count) {
    std::array<parquet::ByteArray, kBlock> block;
    for (int64_t done = 0; done < count;) {
      const int got =
          decoder_->Decode(block.data(), static_cast<int>(std::min(count - done, kBlock)));
      if (got <= 0) {
        return Broken("has a page with fewer values than its levels say");
      }
      for (int i = 0; i < got; ++i) {
        const parquet::ByteArray& value = block[static_cast<size_t>(i)];
        ARROW_RETURN_NOT_OK(AppendPlain({reinterpret_cast<const char*>(value.ptr), value.len}));
      }
      done += got;
    }
    return Status::OK();
  }

  Result<std::shared_ptr<arrow::Array>> FinishDictionary(int64_t num_rows, int64_t num_values,
                                                         std::shared_ptr<arrow::Buffer> validity) {
    std::shared_ptr<arrow::Buffer> indices = std::move(indices_buffer_);
    if (num_values < num_rows) {
      ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> spread,
                            arrow::AllocateBuffer(num_rows * 2));
      const auto* in = reinterpret_cast<const uint16_t*>(indices->data());
      auto* out = reinterpret_cast<uint16_t*>(spread->mutable_data());
      for (int64_t row = 0; row < num_rows; ++row) {
        const bool is_valid = arrow::bit_util::GetBit(validity->data(), row);
        out[row] = is_valid ? *in : uint16_t{0};
        in += is_valid ? 1 : 0;
      }
      indices = std::move(spread);
    }
    auto data =
        arrow::ArrayData::Make(arrow::dictionary(arrow::uint16(), type_), num_rows,
                               {std::move(validity), std::move(indices)}, num_rows - num_values);
    data->dictionary = dictionary_->data();
    return arrow::MakeArray(std::move(data));
  }

  int64_t DictionaryIndex(int64_t position) const {
    return is_wide_ ? reinterpret_cast<const uint32_t*>(indices_buffer_->data())[position]
                    : reinterpret_cast<const uint16_t*>(indices_buffer_->data())[position];
  }

  std::string_view DictionaryValue(int64_t position) const {
    const int64_t index = DictionaryIndex(position);
    const int32_t begin = dictionary_offsets_[index];
    return {reinterpret_cast<const char*>(dictionary_bytes_) + begin,
            static_cast<size_t>(dictionary_offsets_[index + 1] - begin)};
  }

  std::string_view PlainValue(int64_t position) const {
    const int64_t begin = plain_offsets_[static_cast<size_t>(position)];
    return {reinterpret_cast<const char*>(plain_bytes_.data()) + begin,
            static_cast<size_t>(plain_offsets_[static_cast<size_t>(position) + 1] - begin)};
  }

  /// Calls `visit(value)` for each dense value in order.
  template <typename Visit>
  void VisitDense(Visit&& visit) const {
    int64_t next_index = 0;
    int64_t next_plain = 0;
    for (const Stretch& stretch : stretches_) {
      for (int64_t i = 0; i < stretch.count; ++i) {
        visit(stretch.is_index ? DictionaryValue(next_index++) : PlainValue(next_plain++));
      }
    }
  }

  Result<std::shared_ptr<arrow::Array>> FinishNative(int64_t num_rows, int64_t num_values,
                                                     std::shared_ptr<arrow::Buffer> validity) {
    // Values of pages stand one behind the other already.
    const bool is_copied = num_indices_ > 0;
    int64_t total_bytes = plain_bytes_.length();
    if (is_copied) {
      total_bytes = 0;
      VisitDense(
          [&](std::string_view value) { total_bytes += static_cast<int64_t>(value.size()); });
    }
    if (total_bytes > std::numeric_limits<int32_t>::max()) {
      return MakeError(ErrorKind::kArrow,
                       fmt::format("column {}: {} rows hold {} bytes, more than one array can",
                                   column_path(), num_rows, total_bytes),
                       location());
    }
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> offsets,
                          arrow::AllocateBuffer((num_rows + 1) * 4));
    const bool has_plain = plain_bytes_.length() > 0;
    last_plain_bytes_ = plain_bytes_.length();
    std::shared_ptr<arrow::Buffer> bytes;
    if (is_copied) {
      ARROW_ASSIGN_OR_RAISE(bytes, arrow::AllocateBuffer(total_bytes));
    }
    auto* offset = reinterpret_cast<int32_t*>(offsets->mutable_data());
    int32_t end = 0;
    int64_t row = 0;
    VisitDense([&](std::string_view value) {
      while (validity != nullptr && !arrow::bit_util::GetBit(validity->data(), row)) {
        offset[row++] = end;
      }
      offset[row++] = end;
      if (is_copied && !value.empty()) {
        std::memcpy(bytes->mutable_data() + end, value.data(), value.size());
      }
      end += static_cast<int32_t>(value.size());
    });
    while (row <= num_rows) {
      offset[row++] = end;
    }
    if (!is_copied) {
      const int64_t spare = plain_bytes_.capacity() - plain_bytes_.length();
      ARROW_ASSIGN_OR_RAISE(
          bytes, plain_bytes_.Finish(/*shrink_to_fit=*/spare > total_bytes / 8 + kLeastSpare));
    }
    // Values of a dictionary are valid already.
    if (is_text_ && has_plain && !IsUtf8(offset, num_rows, bytes->data())) {
      ARROW_RETURN_NOT_OK(Replace(num_rows, &offsets, &bytes, [&](int64_t) { ++num_replaced_; }));
    }
    return arrow::MakeArray(arrow::ArrayData::Make(
        type_, num_rows, {std::move(validity), std::move(offsets), std::move(bytes)},
        num_rows - num_values));
  }

  std::shared_ptr<arrow::DataType> type_;
  bool is_text_;
  int64_t num_replaced_ = 0;
  std::vector<bool> is_replaced_;  ///< by dictionary entry; empty when all were valid
  std::shared_ptr<arrow::Array> dictionary_;
  int64_t dictionary_size_ = 0;
  const int32_t* dictionary_offsets_ = nullptr;
  const uint8_t* dictionary_bytes_ = nullptr;
  bool is_wide_ = false;

  PageValues page_;
  HybridDecoder indices_;
  std::unique_ptr<parquet::EncodingTraits<parquet::ByteArrayType>::Decoder> decoder_;

  std::vector<Stretch> stretches_;
  std::shared_ptr<arrow::ResizableBuffer> indices_buffer_;
  int64_t num_indices_ = 0;
  std::vector<uint32_t> wide_scratch_;
  std::vector<int64_t> plain_offsets_;
  arrow::BufferBuilder plain_bytes_;
  mutable int64_t num_summed_ = 0;   ///< indices that index_bytes_ counts
  mutable int64_t index_bytes_ = 0;  ///< of their values
  int64_t largest_entry_bytes_ = 0;  ///< of the dictionary
  int64_t dictionary_held_bytes_ = 0;
  int64_t page_bytes_ = 0;
  int64_t last_plain_bytes_ = 0;  ///< of the slice before
};

}  // namespace

std::unique_ptr<PagedLeafDecoder> MakeBinaryLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                                        const parquet::ColumnDescriptor& descriptor,
                                                        const otap::Column& target,
                                                        const Location& location) {
  return std::make_unique<BinaryLeafDecoder>(std::move(pages), descriptor, otap::NativeType(target),
                                             location);
}

}  // namespace df::lake
