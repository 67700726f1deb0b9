#include "testing/malformed_ids.h"

#include <array>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

namespace df::testing {
namespace {

// Values of parquet.thrift in the compact protocol: the low nibble of a field header is the type
// (5 = i32, 8 = binary, 9 = list), the high one the distance to the field before it. Numbers are
// zigzag, so type 6 (BYTE_ARRAY) is 0x0c and type 7 (FIXED_LEN_BYTE_ARRAY) is 0x0e.
constexpr char kByteArray = 0x0c;
constexpr char kFixed = 0x0e;

struct IdColumn {
  std::string_view name;
  char length;  ///< zigzag
};
constexpr std::array kIdColumns = {IdColumn{"trace_id", 0x20}, IdColumn{"span_id", 0x10}};

/// Returns the tail of a SchemaElement: repetition_type (field 3) and name (field 4).
std::string SchemaTail(std::string_view name, char field_header, char repetition) {
  return std::string{field_header, repetition, 0x18, static_cast<char>(name.size())} +
         std::string(name);
}

void ReplaceAll(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Changes the type (field 1) of every ColumnMetaData of a column. It stands in front of the list
/// of encodings (field 2) and path_in_schema (field 3).
void ChangeChunks(std::string& footer, std::string_view name, char from, char to) {
  constexpr size_t kMostEncodings = 8;
  const std::string path =
      std::string{0x19, 0x18, static_cast<char>(name.size())} + std::string(name);
  for (size_t at = footer.find(path); at != std::string::npos; at = footer.find(path, at + 1)) {
    for (size_t encodings = 1; encodings <= kMostEncodings && at >= encodings + 4; ++encodings) {
      const std::string head{0x15, from, 0x19, static_cast<char>(encodings << 4 | 5)};
      const size_t start = at - encodings - head.size();
      if (footer.compare(start, head.size(), head) == 0) {
        footer[start + 1] = to;
      }
    }
  }
}

/// Applies a change to the footer and corrects its length.
template <typename Change>
arrow::Status ChangeFooter(std::string& file, const Change& change) {
  constexpr size_t kTrailer = 8;
  uint32_t length = 0;
  if (file.size() < kTrailer) {
    return arrow::Status::Invalid("no footer");
  }
  std::memcpy(&length, file.data() + file.size() - kTrailer, sizeof(length));
  if (length > file.size() - kTrailer) {
    return arrow::Status::Invalid(
        fmt::format("footer of {} bytes is longer than the file", length));
  }
  const size_t start = file.size() - kTrailer - length;
  std::string footer = file.substr(start, length);
  change(footer);
  length = static_cast<uint32_t>(footer.size());
  std::string trailer(sizeof(length), '\0');
  std::memcpy(trailer.data(), &length, sizeof(length));
  file = file.substr(0, start) + footer + trailer + "PAR1";
  return arrow::Status::OK();
}

}  // namespace

bool IsMalformedUpstream(otap::TableKind kind, std::string_view column) {
  using enum otap::TableKind;
  const bool is_table = kind == kLogs || kind == kSpanLinks || kind == kNumberDpExemplars ||
                        kind == kHistogramDpExemplars || kind == kExpHistogramDpExemplars;
  return is_table && (column == "trace_id" || column == "span_id");
}

arrow::Status DeclareIdsFixed(std::string& file) {
  return ChangeFooter(file, [](std::string& footer) {
    for (const IdColumn& column : kIdColumns) {
      for (const char repetition : {'\x00', '\x02'}) {
        // type_length (field 2) comes in between, so the next field is one away instead of two.
        ReplaceAll(footer,
                   std::string{0x15, kByteArray} + SchemaTail(column.name, 0x25, repetition),
                   std::string{0x15, kFixed, 0x15, column.length} +
                       SchemaTail(column.name, 0x15, repetition));
      }
      ChangeChunks(footer, column.name, kByteArray, kFixed);
    }
  });
}

arrow::Status DeclareIdsBinary(std::string& file) {
  return ChangeFooter(file, [](std::string& footer) {
    for (const IdColumn& column : kIdColumns) {
      for (const char repetition : {'\x00', '\x02'}) {
        const std::string tail =
            std::string{0x15, column.length} + SchemaTail(column.name, 0x15, repetition);
        ReplaceAll(footer, std::string{0x15, kFixed} + tail, std::string{0x15, kByteArray} + tail);
      }
      ChangeChunks(footer, column.name, kFixed, kByteArray);
    }
  });
}

}  // namespace df::testing
