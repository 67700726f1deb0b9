#include "lake/format/footer.h"

#include <cstring>
#include <optional>

#include <arrow/util/endian.h>
#include <fmt/format.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/xxhasher.h>

#include "base/text.h"
#include "lake/format/footer_checksum.h"
#include "lake/format/own_writer.h"
#include "lake/format/thrift_compact.h"

// parquet-rs before its fix picks the page writer of a dictionary-encoded FixedSizeBinary column as
// if it were a byte array: every value in the pages is preceded by its length, while the schema
// says FIXED_LEN_BYTE_ARRAY. The proof is in the same footer: only byte arrays have
// unencoded_byte_array_data_bytes in their size statistics.

namespace df::lake {
namespace {

/// In memory a footer takes some ten times as much. 10,000 row groups of a log table take 25 MB.
constexpr int64_t kMaxFooterBytes = 64 << 20;
constexpr int64_t kTailBytes = 8;  // footer length (4) and magic (4)

/// Holds the footers of most child tables. A larger one would read the data of small files with
/// their footers; what is missing costs one more read, which stores that are far away answer from
/// the end of the file that they have fetched already.
constexpr int64_t kFirstReadBytes = 2 << 10;
constexpr char kTypeFixedLenByteArray = 0x0E;  // zigzag(7)
constexpr char kTypeByteArray = 0x0C;          // zigzag(6)
constexpr int64_t kNoOffset = -1;
constexpr int64_t kLastRepetition = 2;  // REPEATED

struct Leaf {
  int64_t type_offset = kNoOffset;  ///< of the byte that holds SchemaElement.type
  bool is_fixed = false;
  bool is_malformed = false;
  bool is_encrypted = false;
  std::vector<int64_t> chunk_type_offsets;
};

Status WrongType(std::string_view what, const ThriftWalker& walker) {
  return Status::Invalid(
      fmt::format("footer: {} has an unexpected type before byte {}", what, walker.offset()));
}

/// Calls `visit(field)` for each field of a struct; visit returns true when it consumed the value.
template <typename Visit>
Status VisitStruct(ThriftWalker* walker, Visit&& visit) {
  int16_t id = 0;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const ThriftField field, walker->NextField(id));
    if (field.type == ThriftType::kStop) {
      return Status::OK();
    }
    id = field.id;
    ARROW_ASSIGN_OR_RAISE(const bool consumed, visit(field));
    if (!consumed) {
      ARROW_RETURN_NOT_OK(walker->Skip(field.type));
    }
  }
}

/// Calls `visit(index)` for each element of a list of structs.
template <typename Visit>
Status VisitStructList(ThriftWalker* walker, std::string_view what, Visit&& visit) {
  ARROW_ASSIGN_OR_RAISE(const ThriftList list, walker->ListHeader());
  if (list.size > 0 && list.element != ThriftType::kStruct) {
    return WrongType(what, *walker);
  }
  for (int64_t i = 0; i < list.size; ++i) {
    ARROW_RETURN_NOT_OK(visit(i));
  }
  return Status::OK();
}

Status ReadSchemaElement(ThriftWalker* walker, std::vector<Leaf>* leaves) {
  Leaf leaf;
  int64_t num_children = 0;
  ARROW_RETURN_NOT_OK(VisitStruct(walker, [&](ThriftField field) -> Result<bool> {
    if (field.id == 1 && field.type == ThriftType::kI32) {
      leaf.type_offset = walker->offset();
      ARROW_ASSIGN_OR_RAISE(const int64_t type, walker->ZigZag());
      leaf.is_fixed = type == 7;
      return true;
    }
    if (field.id == 3 && field.type == ThriftType::kI32) {
      // The library takes what is not one of the three for REQUIRED.
      ARROW_ASSIGN_OR_RAISE(const int64_t repetition, walker->ZigZag());
      if (repetition < 0 || repetition > kLastRepetition) {
        return Status::Invalid(
            fmt::format("footer: found repetition type {} before byte {}, expected 0 to {}",
                        repetition, walker->offset(), kLastRepetition));
      }
      return true;
    }
    if (field.id == 5 && field.type == ThriftType::kI32) {
      ARROW_ASSIGN_OR_RAISE(num_children, walker->ZigZag());
      return true;
    }
    return false;
  }));
  if (leaf.type_offset != kNoOffset && num_children == 0) {
    leaves->push_back(std::move(leaf));
  }
  return Status::OK();
}

Status ReadColumnMetaData(ThriftWalker* walker, Leaf* leaf) {
  return VisitStruct(walker, [&](ThriftField field) -> Result<bool> {
    if (field.id == 1 && field.type == ThriftType::kI32) {
      leaf->chunk_type_offsets.push_back(walker->offset());
      ARROW_RETURN_NOT_OK(walker->ZigZag().status());
      return true;
    }
    if (field.id == 16 && field.type == ThriftType::kStruct) {  // size_statistics
      ARROW_RETURN_NOT_OK(VisitStruct(walker, [&](ThriftField statistic) -> Result<bool> {
        if (statistic.id == 1 && statistic.type == ThriftType::kI64) {
          leaf->is_malformed = leaf->is_malformed || leaf->is_fixed;
        }
        return false;
      }));
      return true;
    }
    return false;
  });
}

Status ReadRowGroup(ThriftWalker* walker, std::vector<Leaf>* leaves) {
  return VisitStruct(walker, [&](ThriftField field) -> Result<bool> {
    if (field.id != 1 || field.type != ThriftType::kList) {
      return false;
    }
    ARROW_RETURN_NOT_OK(VisitStructList(walker, "columns", [&](int64_t index) -> Status {
      if (index >= static_cast<int64_t>(leaves->size())) {
        return Status::Invalid(
            fmt::format("footer: a row group has more columns than the schema has leaves ({})",
                        leaves->size()));
      }
      return VisitStruct(walker, [&](ThriftField chunk) -> Result<bool> {
        Leaf& leaf = (*leaves)[static_cast<size_t>(index)];
        if (chunk.id == 8 && chunk.type == ThriftType::kStruct) {  // crypto_metadata
          leaf.is_encrypted = true;
          return false;
        }
        if (chunk.id != 3 || chunk.type != ThriftType::kStruct) {
          return false;
        }
        ARROW_RETURN_NOT_OK(ReadColumnMetaData(walker, &leaf));
        return true;
      });
    }));
    return true;
  });
}

constexpr std::string_view kArrowSchemaKey = "ARROW:schema";

/// Reads one entry of key_value_metadata; returns where its key ends when it is the stored Arrow
/// schema, else kNoOffset.
Result<int64_t> ReadKeyValue(ThriftWalker* walker, std::string* arrow_schema) {
  int64_t key_end = kNoOffset;
  ARROW_RETURN_NOT_OK(VisitStruct(walker, [&](ThriftField field) -> Result<bool> {
    if (field.type != ThriftType::kBinary || field.id > 2) {
      return false;
    }
    ARROW_ASSIGN_OR_RAISE(const std::string_view text, walker->Binary());
    if (field.id == 1 && text == kArrowSchemaKey) {
      key_end = walker->offset();
    } else if (field.id == 2 && key_end != kNoOffset) {
      *arrow_schema = text;
    }
    return true;
  }));
  return key_end;
}

bool ReplaceType(std::string* footer, int64_t offset) {
  char& byte = (*footer)[static_cast<size_t>(offset)];
  if (byte != kTypeFixedLenByteArray) {
    return false;
  }
  byte = kTypeByteArray;
  return true;
}

}  // namespace

Result<int64_t> RepairFooter(std::string* footer, std::string* stored_arrow_schema,
                             std::vector<int>* encrypted_columns) {
  std::vector<Leaf> leaves;
  std::vector<int64_t> hidden_keys;
  ThriftWalker walker(*footer);
  ARROW_RETURN_NOT_OK(VisitStruct(&walker, [&](ThriftField field) -> Result<bool> {
    if (field.id == 2 && field.type == ThriftType::kList) {
      ARROW_RETURN_NOT_OK(VisitStructList(
          &walker, "schema", [&](int64_t) { return ReadSchemaElement(&walker, &leaves); }));
      return true;
    }
    if (field.id == 4 && field.type == ThriftType::kList) {
      ARROW_RETURN_NOT_OK(VisitStructList(&walker, "row_groups",
                                          [&](int64_t) { return ReadRowGroup(&walker, &leaves); }));
      return true;
    }
    if (field.id == 5 && field.type == ThriftType::kList && stored_arrow_schema != nullptr) {
      ARROW_RETURN_NOT_OK(VisitStructList(&walker, "key_value_metadata", [&](int64_t) -> Status {
        ARROW_ASSIGN_OR_RAISE(const int64_t end, ReadKeyValue(&walker, stored_arrow_schema));
        if (end != kNoOffset) {
          hidden_keys.push_back(end);
        }
        return Status::OK();
      }));
      return true;
    }
    return false;
  }));
  for (const int64_t end : hidden_keys) {
    (*footer)[static_cast<size_t>(end) - kArrowSchemaKey.size()] = '-';
  }
  for (size_t i = 0; encrypted_columns != nullptr && i < leaves.size(); ++i) {
    if (leaves[i].is_encrypted) {
      encrypted_columns->push_back(static_cast<int>(i));
    }
  }
  int64_t num_repaired = 0;
  for (const Leaf& leaf : leaves) {
    if (!leaf.is_malformed || !ReplaceType(footer, leaf.type_offset)) {
      continue;
    }
    for (const int64_t offset : leaf.chunk_type_offsets) {
      ReplaceType(footer, offset);
    }
    ++num_repaired;
  }
  return num_repaired;
}

Result<Footer> ReadFooter(arrow::io::RandomAccessFile* file, const Location& location) {
  auto not_parquet = [&](std::string message) {
    return MakeError(ErrorKind::kParquet, std::move(message), location, /*retryable=*/true);
  };
  Footer footer;
  auto size = file->GetSize();
  ARROW_RETURN_NOT_OK(WithContext(size.status(), ErrorKind::kIo, location, true));
  footer.file_size_bytes = *size;
  if (footer.file_size_bytes < kTailBytes + 4) {
    return not_parquet(fmt::format("not a whole Parquet file: found {} bytes, expected at least {}",
                                   footer.file_size_bytes, kTailBytes + 4));
  }
  const int64_t first_read = std::min(footer.file_size_bytes, kFirstReadBytes);
  auto tail = file->ReadAt(footer.file_size_bytes - first_read, first_read);
  ARROW_RETURN_NOT_OK(WithContext(tail.status(), ErrorKind::kIo, location, true));
  if ((*tail)->size() != first_read) {
    return not_parquet("the file shrank while it was read");
  }
  const char* end = reinterpret_cast<const char*>((*tail)->data()) + first_read;
  const std::string_view magic(end - 4, 4);
  if (magic == "PARE") {
    return MakeError(
        ErrorKind::kParquet,
        "found an encrypted footer, expected a plain one: encrypted files are not read", location);
  }
  if (magic != "PAR1") {
    return not_parquet("not a whole Parquet file: found no 'PAR1' at its end");
  }
  uint32_t length = 0;
  std::memcpy(&length, end - kTailBytes, sizeof(length));
  length = arrow::bit_util::FromLittleEndian(length);
  if (static_cast<int64_t>(length) > footer.file_size_bytes - kTailBytes - 4) {
    return not_parquet(
        fmt::format("the footer claims {} bytes in a file of {}", length, footer.file_size_bytes));
  }
  if (static_cast<int64_t>(length) > kMaxFooterBytes) {
    return MakeError(
        ErrorKind::kParquet,
        fmt::format("found a footer of {} bytes, expected at most {}", length, kMaxFooterBytes),
        location);
  }
  std::string bytes;
  if (static_cast<int64_t>(length) + kTailBytes <= first_read) {
    bytes.assign(end - kTailBytes - length, length);
  } else {
    const int64_t rest = static_cast<int64_t>(length) + kTailBytes - first_read;
    auto front = file->ReadAt(footer.file_size_bytes - first_read - rest, rest);
    ARROW_RETURN_NOT_OK(WithContext(front.status(), ErrorKind::kIo, location, true));
    if ((*front)->size() != rest) {
      return not_parquet("the file shrank while it was read");
    }
    bytes = (*front)->ToString();
    bytes.append(end - first_read, static_cast<size_t>(first_read - kTailBytes));
  }
  footer.digest = fmt::format("{:016x}-{}", parquet::XxHasher().Hash(std::string_view(bytes)),
                              footer.file_size_bytes);
  const std::optional<size_t> checksum = FindFooterChecksum(bytes);
  const std::string stated =
      checksum.has_value() ? bytes.substr(*checksum, kUnknownFooterChecksum.size()) : "";
  const std::string computed = checksum.has_value() ? ComputeFooterChecksum(bytes, *checksum) : "";
  auto repaired = RepairFooter(&bytes, &footer.stored_arrow_schema, &footer.encrypted_columns);
  ARROW_RETURN_NOT_OK(WithContext(repaired.status(), ErrorKind::kParquet, location));
  footer.num_repaired_columns = *repaired;
  try {
    footer.metadata = parquet::FileMetaData::Make(bytes.data(), static_cast<int64_t>(length));
  } catch (const std::exception& error) {
    return MakeError(ErrorKind::kParquet,
                     fmt::format("the footer cannot be parsed: {}", error.what()), location);
  }
  // Who rewrites a file may keep its keys.
  if (stated != computed && footer.metadata->created_by() == kOwnWriter) {
    return MakeError(ErrorKind::kParquet,
                     fmt::format("the footer is damaged: found the checksum {}, expected {}",
                                 computed, PrintableText(stated)),
                     location);
  }
  return footer;
}

}  // namespace df::lake
