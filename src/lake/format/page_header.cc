#include "lake/format/page_header.h"

#include "lake/format/thrift_compact.h"

namespace df::lake {
namespace {

using arrow::Status;

constexpr int16_t kData = 5;
constexpr int16_t kDictionary = 7;
constexpr int16_t kDataV2 = 8;

/// Reads the header of one type of page into the fields that all have.
Status ReadTyped(ThriftWalker* walker, int16_t type, PageHeader* header) {
  int16_t id = 0;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const ThriftField field, walker->NextField(id));
    if (field.type == ThriftType::kStop) {
      return Status::OK();
    }
    id = field.id;
    if (type == kDataV2 && id == 7 &&
        (field.type == ThriftType::kTrue || field.type == ThriftType::kFalse)) {
      header->is_compressed = field.type == ThriftType::kTrue;
      continue;
    }
    int64_t* number = nullptr;
    if (id == 1) {
      number = &header->num_values;
    } else if (type == kDataV2) {
      number = id == 4   ? &header->encoding
               : id == 5 ? &header->definition_bytes
               : id == 6 ? &header->repetition_bytes
                         : nullptr;
    } else {
      number = id == 2 ? &header->encoding : id == 3 ? &header->level_encoding : nullptr;
    }
    if (number != nullptr && field.type == ThriftType::kI32) {
      ARROW_ASSIGN_OR_RAISE(*number, walker->ZigZag());
    } else {
      ARROW_RETURN_NOT_OK(walker->Skip(field.type));
    }
  }
}

}  // namespace

arrow::Result<PageHeader> ReadPageHeader(std::string_view bytes) {
  PageHeader header;
  ThriftWalker walker(bytes);
  int16_t id = 0;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const ThriftField field, walker.NextField(id));
    if (field.type == ThriftType::kStop) {
      header.header_bytes = walker.offset();
      return header;
    }
    id = field.id;
    const bool is_number = field.type == ThriftType::kI32;
    if (id == 2 && is_number) {
      ARROW_ASSIGN_OR_RAISE(header.uncompressed_bytes, walker.ZigZag());
    } else if (id == 3 && is_number) {
      ARROW_ASSIGN_OR_RAISE(header.compressed_bytes, walker.ZigZag());
    } else if (id == 4 && is_number) {
      ARROW_ASSIGN_OR_RAISE(const int64_t checksum, walker.ZigZag());
      header.checksum = static_cast<uint32_t>(checksum);
    } else if ((id == kData || id == kDictionary || id == kDataV2) &&
               field.type == ThriftType::kStruct) {
      header.is_dictionary = id == kDictionary;
      header.is_data = id != kDictionary;
      header.is_v2 = id == kDataV2;
      ARROW_RETURN_NOT_OK(ReadTyped(&walker, id, &header));
    } else {
      ARROW_RETURN_NOT_OK(walker.Skip(field.type));
    }
  }
}

}  // namespace df::lake
