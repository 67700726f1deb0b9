#include "lake/format/leaf_decoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>
#include <parquet/column_page.h>

#include "lake/format/paged_leaf_decoder.h"
#include "lake/format/parquet_exceptions.h"

namespace df::lake {

using otap::ColumnType;

Result<LeafSlice> CutSlice(const LeafSlice& slice, int64_t first_row, int64_t num_rows) {
  LeafSlice cut;
  cut.num_rows = num_rows;
  cut.is_present = slice.is_present;
  cut.is_empty_column = slice.is_empty_column;
  cut.num_replaced = first_row == 0 ? slice.num_replaced : 0;
  if (slice.values != nullptr) {
    cut.values = slice.values->Slice(first_row, num_rows);
  }
  if (slice.struct_validity != nullptr) {
    ARROW_ASSIGN_OR_RAISE(
        cut.struct_validity,
        arrow::internal::CopyBitmap(arrow::default_memory_pool(), slice.struct_validity->data(),
                                    first_row, num_rows));
  }
  for (const RefusedRows& rows : slice.refused) {
    const int64_t begin = std::max(rows.first_row, first_row);
    const int64_t end = std::min(rows.first_row + rows.num_rows, first_row + num_rows);
    if (begin < end) {
      cut.refused.push_back({begin - first_row, end - begin, rows.why});
    }
  }
  return cut;
}

PagedLeafDecoder::PagedLeafDecoder(std::unique_ptr<parquet::PageReader> pages,
                                   const parquet::ColumnDescriptor& descriptor,
                                   const Location& location)
    : pages_(std::move(pages)),
      descriptor_(descriptor),
      location_(location),
      column_path_(descriptor.path()->ToDotString()),
      max_level_(descriptor.max_definition_level()),
      is_required_in_struct_(max_level_ == 1 && descriptor.schema_node()->is_required()) {}

Status PagedLeafDecoder::Broken(std::string_view why) const {
  return MakeError(ErrorKind::kParquet, fmt::format("column {}: {}", column_path_, why), location_);
}

/// What Parquet throws does not say which column it is of.
template <typename Call>
Status PagedLeafDecoder::CatchNamed(Call&& call) const {
  return CatchParquet(location_, [&]() -> Status {
    try {
      return call();
    } catch (const parquet::ParquetStatusException&) {
      throw;
    } catch (const parquet::ParquetException& error) {
      const std::string_view what = error.what();
      return what.starts_with("column ")
                 ? MakeError(ErrorKind::kParquet, std::string(what), location_)
                 : Broken(what);
    }
  });
}

Status PagedLeafDecoder::LazyBitmap::Ensure(int64_t num_rows, int64_t num_set) {
  if (bits != nullptr) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(bits,
                        arrow::AllocateResizableBuffer(arrow::bit_util::BytesForBits(num_rows)));
  std::memset(bits->mutable_data(), 0, static_cast<size_t>(bits->size()));
  arrow::bit_util::SetBitsTo(bits->mutable_data(), 0, num_set, true);
  return Status::OK();
}

int64_t PagedLeafDecoder::held_bytes() const {
  return dictionary_bytes() +
         (page_ == nullptr || page_->buffer() == nullptr ? 0 : page_->buffer()->size());
}

Result<LeafSlice> PagedLeafDecoder::Next(int64_t num_rows, int64_t max_bytes) {
  validity_.bits = nullptr;
  struct_validity_.bits = nullptr;
  slice_rows_ = num_rows;
  refused_.clear();
  ARROW_RETURN_NOT_OK(StartSlice(num_rows));
  int64_t row = 0;
  int64_t num_values = 0;
  while (row < num_rows) {
    if (page_rows_left_ == 0) {
      ARROW_RETURN_NOT_OK(CatchNamed([this] { return NextDataPage(); }));
    }
    int64_t count = std::min(page_rows_left_, num_rows - row);
    int64_t num_valid = count;
    if (page_refusal_.has_value()) {
      num_valid = 0;
      if (!page_refusal_->ok()) {
        refused_.push_back({row, count, *page_refusal_});
      }
      ARROW_RETURN_NOT_OK(AppendLevels(row, count, false, true));
      page_rows_left_ -= count;
      row += count;
      continue;
    }
    const int64_t most = MostRows(max_bytes);
    if (most <= 0 && row > 0) {
      break;
    }
    count = std::clamp<int64_t>(most, 1, count);
    num_valid = count;
    if (page_has_levels_) {
      ARROW_RETURN_NOT_OK(DecodeLevels(row, count, &num_valid));
    } else if (max_level_ > 0) {
      ARROW_RETURN_NOT_OK(AppendLevels(row, count, true, true));
    }
    if (num_valid > 0) {
      ARROW_RETURN_NOT_OK(CatchNamed([&] { return DecodeDense(num_valid); }));
    }
    page_rows_left_ -= count;
    row += count;
    num_values += num_valid;
  }
  num_rows = row;
  LeafSlice slice;
  slice.num_rows = num_rows;
  slice.is_present = true;
  slice.refused = std::move(refused_);
  // A value that cannot be null is missing where its struct is.
  slice.struct_validity = is_required_in_struct_ ? validity_.bits : struct_validity_.bits;
  if (num_values > 0) {
    ARROW_ASSIGN_OR_RAISE(slice.values, FinishSlice(num_rows, num_values, validity_.bits));
    slice.num_replaced = num_replaced();
  }
  return slice;
}

Status PagedLeafDecoder::NextDataPage() {
  while (true) {
    page_ = pages_->NextPage();
    if (page_ == nullptr) {
      return Broken("has fewer rows than the row group");
    }
    page_refusal_.reset();
    switch (page_->type()) {
      case parquet::PageType::UNDEFINED:
        PassPage(static_cast<const RefusedPage&>(*page_));
        break;
      case parquet::PageType::DICTIONARY_PAGE:
        ARROW_RETURN_NOT_OK(SetDictionaryPage(static_cast<const parquet::DictionaryPage&>(*page_)));
        break;
      case parquet::PageType::DATA_PAGE:
        ARROW_RETURN_NOT_OK(StartDataPage(static_cast<const parquet::DataPageV1&>(*page_)));
        break;
      case parquet::PageType::DATA_PAGE_V2:
        ARROW_RETURN_NOT_OK(StartDataPage(static_cast<const parquet::DataPageV2&>(*page_)));
        break;
      default:
        break;  // index and unknown pages are skipped, as the format asks
    }
    if (page_rows_left_ > 0) {
      page_rows_ = page_rows_left_;
      return Status::OK();
    }
  }
}

/// The rows of what is too large are lost; of a dictionary, those that point into it. Those that
/// nobody needs are null.
void PagedLeafDecoder::PassPage(const RefusedPage& page) {
  const RefusedPage::Facts& facts = page.facts();
  if (facts.kind == RefusedPage::Kind::kUnneeded) {
    page_refusal_ = Status::OK();
    page_rows_left_ = facts.num_values;
    return;
  }
  const std::string_view what = facts.kind == RefusedPage::Kind::kDictionary ? "dictionary"
                                : facts.kind == RefusedPage::Kind::kValue    ? "value"
                                                                             : "page";
  Status why = Status::CapacityError(fmt::format(
      "column {}: found a {} of {} bytes, expected at most {} (a share of memory_limit): its rows "
      "are not read",
      column_path_, what, facts.size_bytes, facts.max_bytes));
  if (facts.kind == RefusedPage::Kind::kDictionary) {
    dictionary_refusal_ = std::move(why);
    return;
  }
  page_refusal_ = std::move(why);
  page_rows_left_ = facts.num_values;
}

/// Tells whether a page points into a dictionary that is too large.
bool PagedLeafDecoder::PassIndicesWithoutDictionary(parquet::Encoding::type encoding) {
  if (!dictionary_refusal_.has_value() || (encoding != parquet::Encoding::RLE_DICTIONARY &&
                                           encoding != parquet::Encoding::PLAIN_DICTIONARY)) {
    return false;
  }
  page_refusal_ = dictionary_refusal_;
  return true;
}

Status PagedLeafDecoder::SetDictionaryPage(const parquet::DictionaryPage& page) {
  if (has_dictionary_) {
    return Broken("has two dictionary pages");
  }
  if (page.encoding() != parquet::Encoding::PLAIN &&
      page.encoding() != parquet::Encoding::PLAIN_DICTIONARY) {
    return Broken("has a dictionary page that is not PLAIN");
  }
  has_dictionary_ = true;
  return SetDictionary(page.data(), page.size(), page.num_values());
}

Status PagedLeafDecoder::StartDataPage(const parquet::DataPageV1& page) {
  PageValues values{page.data(), page.size(), -1, page.encoding()};
  if (page.num_values() < 0) {
    return Broken("has a page with a negative count of values");
  }
  page_rows_left_ = page.num_values();
  if (PassIndicesWithoutDictionary(page.encoding())) {
    return Status::OK();
  }
  page_has_levels_ = max_level_ > 0;
  if (page_has_levels_) {
    if (page.definition_level_encoding() != parquet::Encoding::RLE) {
      return Broken("has definition levels in the deprecated BIT_PACKED encoding");
    }
    uint32_t size_bytes = 0;
    if (values.size_bytes < static_cast<int64_t>(sizeof(size_bytes))) {
      return Broken("has a page that is cut short before its definition levels");
    }
    std::memcpy(&size_bytes, values.data, sizeof(size_bytes));
    values.data += sizeof(size_bytes);
    values.size_bytes -= sizeof(size_bytes);
    if (size_bytes > values.size_bytes) {
      return Broken("has definition levels longer than their page");
    }
    levels_ =
        HybridDecoder(values.data, size_bytes, std::bit_width(static_cast<unsigned>(max_level_)));
    values.data += size_bytes;
    values.size_bytes -= size_bytes;
  } else {
    values.num_values = page_rows_left_;
  }
  if (values.is_dictionary() && !has_dictionary_) {
    return Broken("has dictionary indices without a dictionary");
  }
  return StartPage(values);
}

Status PagedLeafDecoder::StartDataPage(const parquet::DataPageV2& page) {
  const int64_t levels_bytes =
      int64_t{page.definition_levels_byte_length()} + page.repetition_levels_byte_length();
  if (page.num_values() < 0 || page.definition_levels_byte_length() < 0 ||
      page.repetition_levels_byte_length() < 0 || levels_bytes > page.size()) {
    return Broken("has a page with impossible sizes");
  }
  page_rows_left_ = page.num_values();
  if (PassIndicesWithoutDictionary(page.encoding())) {
    return Status::OK();
  }
  page_has_levels_ = max_level_ > 0;
  levels_ = HybridDecoder(page.data() + page.repetition_levels_byte_length(),
                          page.definition_levels_byte_length(),
                          std::bit_width(static_cast<unsigned>(max_level_)));
  PageValues values{page.data() + levels_bytes, page.size() - levels_bytes,
                    page_has_levels_ ? -1 : page_rows_left_, page.encoding()};
  if (values.is_dictionary() && !has_dictionary_) {
    return Broken("has dictionary indices without a dictionary");
  }
  return StartPage(values);
}

Status PagedLeafDecoder::AppendLevels(int64_t first_row, int64_t count, bool is_valid,
                                      bool has_struct) {
  if (!is_valid) {
    ARROW_RETURN_NOT_OK(validity_.Ensure(slice_rows_, first_row));
  }
  if (validity_.bits != nullptr) {
    arrow::bit_util::SetBitsTo(validity_.bits->mutable_data(), first_row, count, is_valid);
  }
  if (max_level_ > 1) {
    if (!has_struct) {
      ARROW_RETURN_NOT_OK(struct_validity_.Ensure(slice_rows_, first_row));
    }
    if (struct_validity_.bits != nullptr) {
      arrow::bit_util::SetBitsTo(struct_validity_.bits->mutable_data(), first_row, count,
                                 has_struct);
    }
  }
  return Status::OK();
}

Status PagedLeafDecoder::DecodeLevels(int64_t first_row, int64_t count, int64_t* num_valid) {
  *num_valid = 0;
  const auto max_level = static_cast<uint32_t>(max_level_);
  for (int64_t done = 0; done < count;) {
    const HybridDecoder::Run run = levels_.Take(count - done);
    if (run.count == 0) {
      return Broken("has fewer definition levels than values");
    }
    const int64_t row = first_row + done;
    done += run.count;
    if (!run.is_packed) {
      if (run.value > max_level) {
        return Broken("has a definition level past its maximum");
      }
      ARROW_RETURN_NOT_OK(AppendLevels(row, run.count, run.value == max_level, run.value >= 1));
      *num_valid += run.value == max_level ? run.count : 0;
      continue;
    }
    ARROW_RETURN_NOT_OK(validity_.Ensure(slice_rows_, row));
    uint8_t* bits = validity_.bits->mutable_data();
    if (max_level_ == 1) {
      // One packed bit per row, least significant first: already an Arrow bitmap.
      arrow::internal::CopyBitmap(run.packed, run.first, run.count, bits, row);
      *num_valid += arrow::internal::CountSetBits(bits, row, run.count);
      continue;
    }
    ARROW_RETURN_NOT_OK(struct_validity_.Ensure(slice_rows_, row));
    uint8_t* struct_bits = struct_validity_.bits->mutable_data();
    level_scratch_.resize(static_cast<size_t>(run.count));
    levels_.Unpack(run, level_scratch_.data());
    for (int64_t i = 0; i < run.count; ++i) {
      const uint8_t level = level_scratch_[static_cast<size_t>(i)];
      if (level > max_level) {
        return Broken("has a definition level past its maximum");
      }
      arrow::bit_util::SetBitTo(bits, row + i, level == max_level);
      arrow::bit_util::SetBitTo(struct_bits, row + i, level >= 1);
      *num_valid += level == max_level ? 1 : 0;
    }
  }
  return Status::OK();
}

namespace {

Status TypeMismatch(const parquet::ColumnDescriptor& descriptor, const otap::Column& target,
                    const Location& location) {
  const auto& logical = descriptor.logical_type();
  const bool has_logical = logical != nullptr && !logical->is_none();
  return MakeError(
      ErrorKind::kSchemaReconstruction,
      fmt::format("column {}: found {} ({}), expected {}", descriptor.path()->ToDotString(),
                  parquet::TypeToString(descriptor.physical_type()),
                  has_logical ? logical->ToString() : std::string("no logical type"),
                  otap::NativeType(target)->ToString()),
      location);
}

/// Tells whether a type is a decimal without fraction.
bool IsWhole(const parquet::LogicalType& type) {
  return type.is_decimal() && static_cast<const parquet::DecimalLogicalType&>(type).scale() == 0;
}

int FixedBytes(ColumnType type) { return type == ColumnType::kFixedBinary8 ? 8 : 16; }

}  // namespace

Status CheckLeafType(const parquet::ColumnDescriptor& descriptor, const otap::Column& target,
                     const Location& location) {
  using parquet::Type;
  const Type::type physical = descriptor.physical_type();
  const bool is_integer = physical == Type::INT32 || physical == Type::INT64;
  const auto& logical = descriptor.logical_type();
  const bool is_plain = logical == nullptr || logical->is_none();
  const bool is_plain_integer = is_integer && (is_plain || logical->is_int() || IsWhole(*logical));
  const bool is_long_integer = physical == Type::FIXED_LEN_BYTE_ARRAY && !is_plain &&
                               IsWhole(*logical) && descriptor.type_length() > 0;
  if (descriptor.max_repetition_level() > 0 || descriptor.max_definition_level() > 2) {
    return TypeMismatch(descriptor, target, location);
  }
  bool matches = false;
  switch (target.type) {
    case ColumnType::kUInt8:
    case ColumnType::kUInt16:
    case ColumnType::kUInt32:
    case ColumnType::kUInt64:
    case ColumnType::kInt32:
    case ColumnType::kInt64:
      // Some writers make doubles of integers with nulls.
      matches = is_plain_integer || is_long_integer || (physical == Type::DOUBLE && is_plain);
      break;
    case ColumnType::kFloat64:
      matches =
          is_plain_integer || (is_plain && (physical == Type::DOUBLE || physical == Type::FLOAT));
      break;
    case ColumnType::kBool:
      matches = is_plain && physical == Type::BOOLEAN;
      break;
    case ColumnType::kUtf8:
      matches = physical == Type::BYTE_ARRAY &&
                (is_plain || logical->is_string() || logical->is_enum() || logical->is_JSON());
      break;
    case ColumnType::kBinary:
      // Text here may be any form of the bytes: hex, base64 or themselves.
      matches = is_plain && physical == Type::BYTE_ARRAY;
      break;
    case ColumnType::kFixedBinary8:
    case ColumnType::kFixedBinary16:
      // Text is hex digits.
      matches = (physical == Type::BYTE_ARRAY && (is_plain || logical->is_string())) ||
                (physical == Type::FIXED_LEN_BYTE_ARRAY && (is_plain || logical->is_UUID()) &&
                 descriptor.type_length() == FixedBytes(target.type));
      break;
    case ColumnType::kTimestamp:
      matches = (physical == Type::INT64 && (is_plain_integer || logical->is_timestamp())) ||
                (physical == Type::INT96 && is_plain) || is_long_integer;
      break;
    case ColumnType::kDuration:
      matches = (physical == Type::INT64 && is_plain_integer) || is_long_integer;
      break;
    default:
      break;  // lists and structs are not flat leaves
  }
  return matches ? Status::OK() : TypeMismatch(descriptor, target, location);
}

Result<std::unique_ptr<LeafDecoder>> LeafDecoder::Make(std::unique_ptr<parquet::PageReader> pages,
                                                       const parquet::ColumnDescriptor& descriptor,
                                                       const otap::Column& target,
                                                       const Location& location,
                                                       std::optional<int64_t> nanos_per_unit) {
  ARROW_RETURN_NOT_OK(CheckLeafType(descriptor, target, location));
  switch (target.type) {
    case ColumnType::kUtf8:
    case ColumnType::kBinary:
      return MakeBinaryLeafDecoder(std::move(pages), descriptor, target, location);
    case ColumnType::kFixedBinary8:
    case ColumnType::kFixedBinary16:
      return MakeFixedBinaryLeafDecoder(std::move(pages), descriptor, FixedBytes(target.type),
                                        location);
    case ColumnType::kBool:
      return MakeBoolLeafDecoder(std::move(pages), descriptor, location);
    default:
      return MakeFixedLeafDecoder(std::move(pages), descriptor, target,
                                  nanos_per_unit.value_or(NanosPerUnit(descriptor)), location);
  }
}

}  // namespace df::lake
