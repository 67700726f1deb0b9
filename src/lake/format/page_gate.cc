#include "lake/format/page_gate.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <parquet/exception.h>

namespace df::lake {
namespace {

/// A header has statistics of at most two values; parquet::PageReader takes no larger ones either.
constexpr int64_t kFirstHeaderBytes = 1 << 10;
constexpr int64_t kMaxHeaderBytes = 16 << 20;

/// Of a page that nobody needs: most headers are no longer.
constexpr int64_t kGlanceBytes = 128;

/// Pages that cannot be read in pieces, of many values that are small: indices into a dictionary,
/// or differences. Writers of one page a row group make them, so they are read, up to a bound.
constexpr int64_t kSmallValueBytes = 1 << 10;
constexpr int64_t kMaxSmallValuesBytes = 512 << 20;

class PageGate final : public parquet::PageReader {
 public:
  PageGate(ColumnPages column, std::unique_ptr<parquet::PageReader> pages, const PageLimits& limits)
      : column_(std::move(column)), pages_(std::move(pages)), limits_(limits) {}

  std::shared_ptr<parquet::Page> NextPage() override {
    if (splitter_ != nullptr) {
      if (auto piece = NextPiece(); piece != nullptr) {
        return piece;
      }
    }
    if (auto unneeded = PassUnneeded(); unneeded != nullptr) {
      return unneeded;
    }
    const std::optional<PageHeader> header = PeekHeader();
    CheckIndex(header);
    // What is no header, or has impossible sizes, is named by the reader behind.
    if (!header.has_value() || header->compressed_bytes < 0 || header->uncompressed_bytes < 0 ||
        header->num_values < 0 || !(header->is_dictionary || header->is_data) ||
        header->size_bytes() <= std::min(limits_.piece_bytes, limits_.page_bytes)) {
      return pages_->NextPage();
    }
    if (header->size_bytes() > limits_.piece_bytes && Split(*header)) {
      Pass(*header);
      return NextPiece();
    }
    if (header->size_bytes() <= limits_.page_bytes || HasSmallValues(*header)) {
      return pages_->NextPage();
    }
    Pass(*header);
    return std::make_shared<RefusedPage>(RefusedPage::Facts{
        header->is_dictionary ? RefusedPage::Kind::kDictionary : RefusedPage::Kind::kPage,
        header->num_values, header->size_bytes(), limits_.page_bytes});
  }

  void set_max_page_header_size(uint32_t size) override { pages_->set_max_page_header_size(size); }

 private:
  /// Returns the page of the index that the stream reads next, or null.
  const PageIndex::Page* IndexedPage() {
    if (column_.input == nullptr || next_page_ == column_.input->index().pages.size()) {
      return nullptr;
    }
    const PageIndex::Page& page = column_.input->index().pages[next_page_];
    return page.offset == column_.input->position() ? &page : nullptr;
  }

  /// From now on the pages are read one after the other. Too late where some were left out that
  /// nobody looked at.
  void ForgetIndex() {
    if (has_believed_) {
      throw parquet::ParquetException(
          fmt::format("column {}: page {} is not what the offset index says, which was believed",
                      column_.descriptor->path()->ToDotString(), next_page_));
    }
    column_.input->ForgetIndex();
    column_.input = nullptr;
  }

  /// Leaves out the next page when nobody needs its rows; null where somebody does.
  std::shared_ptr<parquet::Page> PassUnneeded() {
    const PageIndex::Page* page = IndexedPage();
    if (page == nullptr || page->end_row > column_.passed->before) {
      return nullptr;
    }
    if (column_.passed->far != nullptr) {
      has_believed_ = true;
      return Leave(*page, page->end_row - page->first_row);
    }
    PARQUET_ASSIGN_OR_THROW(const std::string_view bytes,
                            column_.input->Glance(std::min(kGlanceBytes, page->size_bytes)));
    auto header = ReadPageHeader(bytes);
    if (!header.ok() && page->size_bytes > kGlanceBytes) {
      header = PeekHeader().value_or(PageHeader{});
    }
    if (!header.ok() || !page->Agrees(*header)) {
      ForgetIndex();
      return nullptr;
    }
    return Leave(*page, header->num_values);
  }

  std::shared_ptr<parquet::Page> Leave(const PageIndex::Page& page, int64_t num_values) {
    ++next_page_;
    ++column_.passed->num_pages;
    column_.passed->num_bytes += page.size_bytes;
    column_.input->Jump(page.end());
    return std::make_shared<RefusedPage>(
        RefusedPage::Facts{RefusedPage::Kind::kUnneeded, num_values, page.size_bytes, 0});
  }

  /// Compares what the index says of the next page with its header: the pages behind are found by
  /// both in the same places.
  void CheckIndex(const std::optional<PageHeader>& header) {
    if (column_.input == nullptr) {
      return;
    }
    const PageIndex::Page* page = IndexedPage();
    const bool is_dictionary = header.has_value() && header->is_dictionary;
    if (page != nullptr && header.has_value() && page->Agrees(*header)) {
      ++next_page_;
    } else if (page != nullptr || !is_dictionary || next_page_ > 0) {
      ForgetIndex();
    }
  }

  std::optional<PageHeader> PeekHeader() {
    for (int64_t want = kFirstHeaderBytes; want <= kMaxHeaderBytes; want *= 4) {
      PARQUET_ASSIGN_OR_THROW(const std::string_view bytes, column_.stream->Peek(want));
      auto header = ReadPageHeader(bytes);
      if (header.ok()) {
        return *header;
      }
      if (static_cast<int64_t>(bytes.size()) < want) {
        break;  // there is no more of it
      }
    }
    return std::nullopt;
  }

  static bool HasSmallValues(const PageHeader& header) {
    return header.is_data && header.size_bytes() <= kMaxSmallValuesBytes &&
           header.size_bytes() / kSmallValueBytes <= header.num_values;
  }

  /// Begins to read a page in pieces. A page that is broken is left to the reader behind, as one
  /// that cannot be read in pieces.
  bool Split(const PageHeader& header) {
    if (!PageSplitter::CanSplit(header, column_.codec, *column_.descriptor)) {
      return false;
    }
    PARQUET_ASSIGN_OR_THROW(const int64_t offset, column_.stream->Tell());
    auto splitter = PageSplitter::Make({.file = column_.file,
                                        .is_far = column_.is_far,
                                        .position = column_.position + offset + header.header_bytes,
                                        .header = header,
                                        .codec = column_.codec,
                                        .descriptor = column_.descriptor},
                                       limits_.page_bytes);
    if (splitter.status().IsInvalid()) {
      return false;
    }
    PARQUET_ASSIGN_OR_THROW(splitter_, std::move(splitter));
    return true;
  }

  std::shared_ptr<parquet::Page> NextPiece() {
    auto piece = splitter_->Next();
    if (!piece.ok()) {
      throw parquet::ParquetException(fmt::format(
          "column {}: {}", column_.descriptor->path()->ToDotString(), piece.status().message()));
    }
    if (*piece == nullptr) {
      splitter_ = nullptr;
    }
    return *std::move(piece);
  }

  void Pass(const PageHeader& header) {
    PARQUET_THROW_NOT_OK(column_.stream->Advance(header.header_bytes));
    for (int64_t left = header.compressed_bytes; left > 0;) {
      // In steps: Advance reads all of it into memory at once.
      const int64_t step = std::min<int64_t>(left, 1 << 20);
      PARQUET_THROW_NOT_OK(column_.stream->Advance(step));
      left -= step;
    }
  }

  ColumnPages column_;
  std::unique_ptr<parquet::PageReader> pages_;  ///< reads the same stream
  PageLimits limits_;
  std::unique_ptr<PageSplitter> splitter_;
  size_t next_page_ = 0;       ///< of the index
  bool has_believed_ = false;  ///< pages were left out of which not even the headers were read
};

}  // namespace

std::unique_ptr<parquet::PageReader> OpenGatedPages(ColumnPages column,
                                                    const parquet::ReaderProperties& properties,
                                                    const PageLimits& limits) {
  auto pages = parquet::PageReader::Open(column.stream, column.num_values, column.codec, properties,
                                         *column.descriptor);
  return std::make_unique<PageGate>(std::move(column), std::move(pages), limits);
}

}  // namespace df::lake
