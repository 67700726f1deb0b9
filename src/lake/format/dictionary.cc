#include "lake/format/dictionary.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <arrow/io/memory.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/encoding.h>
#include <parquet/properties.h>

namespace df::lake {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Tells whether the footer says that all pages of data refer to the dictionary.
bool HasOnlyCodes(const parquet::ColumnChunkMetaData& chunk) {
  bool has_pages = false;
  for (const parquet::PageEncodingStats& stats : chunk.encoding_stats()) {
    if (stats.page_type != parquet::PageType::DATA_PAGE &&
        stats.page_type != parquet::PageType::DATA_PAGE_V2) {
      continue;
    }
    has_pages = true;
    if (stats.encoding != parquet::Encoding::PLAIN_DICTIONARY &&
        stats.encoding != parquet::Encoding::RLE_DICTIONARY) {
      return false;
    }
  }
  return has_pages;
}

}  // namespace

bool DictionaryMayHave(arrow::io::RandomAccessFile* file, const parquet::ColumnChunkMetaData& chunk,
                       const parquet::ColumnDescriptor& column, int64_t file_bytes,
                       std::string_view text) {
  if (!HasOnlyCodes(chunk) || !chunk.has_dictionary_page() ||
      text.find(kReplacement) != std::string_view::npos) {  // bytes that are no text become that
    return true;
  }
  const int64_t start = chunk.dictionary_page_offset();
  const int64_t size = chunk.data_page_offset() - start;
  if (start < 4 || size <= 0 || size > kMostDictionaryBytes || start > file_bytes - size) {
    return true;
  }
  auto bytes = file->ReadAt(start, size);
  if (!bytes.ok() || (**bytes).size() != size) {
    return true;
  }
  parquet::ReaderProperties properties;
  properties.set_page_checksum_verification(true);
  const auto pages =
      parquet::PageReader::Open(std::make_shared<arrow::io::BufferReader>(std::move(*bytes)),
                                chunk.num_values(), chunk.compression(), properties, column);
  const auto page = pages->NextPage();
  if (page == nullptr || page->type() != parquet::PageType::DICTIONARY_PAGE) {
    return true;
  }
  const auto& dictionary = static_cast<const parquet::DictionaryPage&>(*page);
  if (dictionary.encoding() != parquet::Encoding::PLAIN &&
      dictionary.encoding() != parquet::Encoding::PLAIN_DICTIONARY) {
    return true;
  }
  const auto decoder =
      parquet::MakeTypedDecoder<parquet::ByteArrayType>(parquet::Encoding::PLAIN, &column);
  const int num_values = dictionary.num_values();
  if (num_values < 0 || num_values > dictionary.size() / 4) {
    return true;
  }
  decoder->SetData(num_values, dictionary.data(), dictionary.size());
  std::vector<parquet::ByteArray> values(static_cast<size_t>(num_values));
  if (decoder->Decode(values.data(), num_values) != num_values) {
    return true;
  }
  return std::any_of(values.begin(), values.end(), [text](const parquet::ByteArray& value) {
    return std::string_view(reinterpret_cast<const char*>(value.ptr), value.len) == text;
  });
}

}  // namespace df::lake
