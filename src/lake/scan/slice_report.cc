#include "lake/scan/slice_report.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include <arrow/array/array_primitive.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>

#include "lake/format/leaf.h"

namespace df::lake {
namespace {

/// Counts the rows that have the struct of a leaf and no value in it.
int64_t NumNulls(const Leaf& leaf, const LeafSlice& slice, int64_t num_rows) {
  if (!slice.is_present) {
    // A file without the column would have been refused: what there is holds nothing.
    return leaf.parent == nullptr ? num_rows : 0;
  }
  const int64_t num_null =
      (slice.values == nullptr ? num_rows : slice.values->null_count()) - slice.num_refused();
  if (num_null == 0 || slice.struct_validity == nullptr) {
    return num_null;
  }
  const int64_t with_struct =
      arrow::internal::CountSetBits(slice.struct_validity->data(), 0, num_rows);
  return num_null - (num_rows - with_struct);
}

/// A column of codes, and the largest that means anything.
struct CodeColumn {
  std::string_view name;
  uint8_t largest = 0;
};
constexpr std::array<CodeColumn, 2> kCodeColumns = {{{"type", 7}, {"metric_type", 5}}};

const arrow::UInt8Array* CodesOf(const LeafSlice& leaf) {
  return leaf.values == nullptr || leaf.values->type_id() != arrow::Type::UINT8
             ? nullptr
             : static_cast<const arrow::UInt8Array*>(leaf.values.get());
}

/// Names codes that are not known: what they mean is not, either.
void ReportCodes(const Leaf& leaf, const LeafSlice& slice, uint8_t largest, const Location& where,
                 ReadReport* report) {
  const arrow::UInt8Array* codes = CodesOf(slice);
  if (codes == nullptr || codes->length() == 0) {
    return;
  }
  const uint8_t* begin = codes->raw_values();
  const uint8_t* end = begin + codes->length();
  if (*std::max_element(begin, end) <= largest) {
    return;
  }
  std::map<uint8_t, int64_t> unknown;
  for (int64_t row = 0; row < codes->length(); ++row) {
    if (codes->IsValid(row) && codes->Value(row) > largest) {
      ++unknown[codes->Value(row)];
    }
  }
  for (const auto& [code, num_rows] : unknown) {
    report->Add(MakeError(ErrorKind::kArrow,
                          fmt::format("column {}: found {}, expected 0 to {}: what it means is not "
                                      "known, and its rows go out empty",
                                      leaf.path(), code, largest),
                          where),
                num_rows);
  }
}

/// Names maps and arrays whose bytes are not there: no writer leaves them out.
void ReportMissingBytes(const Leaf& type_leaf, const LeafSlice& types, const LeafSlice& bytes,
                        const Location& where, ReadReport* report) {
  constexpr uint8_t kMap = 5;
  constexpr uint8_t kArray = 6;
  const arrow::UInt8Array* codes = CodesOf(types);
  if (codes == nullptr || codes->length() == 0) {
    return;
  }
  const auto length = static_cast<size_t>(codes->length());
  if (std::memchr(codes->raw_values(), kMap, length) == nullptr &&
      std::memchr(codes->raw_values(), kArray, length) == nullptr) {
    return;
  }
  int64_t num_missing = -bytes.num_refused();
  for (int64_t row = 0; row < codes->length(); ++row) {
    const bool is_nested =
        codes->IsValid(row) && (codes->Value(row) == kMap || codes->Value(row) == kArray);
    num_missing += is_nested && (bytes.values == nullptr || bytes.values->IsNull(row)) ? 1 : 0;
  }
  if (num_missing > 0) {
    report->Add(MakeError(ErrorKind::kArrow,
                          fmt::format("column {}: maps and arrays have no bytes in the column "
                                      "beside it, and go out empty",
                                      type_leaf.path()),
                          where),
                num_missing);
  }
}

/// Looks at the codes of a slice.
void ReportAllCodes(otap::TableKind kind, const TableSlice& slice, const Location& where,
                    ReadReport* report) {
  const std::span<const Leaf> leaves = LeavesOf(kind);
  for (size_t i = 0; i < leaves.size(); ++i) {
    for (const auto& [name, largest] : kCodeColumns) {
      if (leaves[i].column->name != name) {
        continue;
      }
      ReportCodes(leaves[i], slice.leaves[i], largest, where, report);
      for (size_t other = 0; other < leaves.size(); ++other) {
        if (leaves[other].column->name == "ser" && leaves[other].parent == leaves[i].parent) {
          ReportMissingBytes(leaves[i], slice.leaves[i], slice.leaves[other], where, report);
        }
      }
    }
  }
}

}  // namespace

void ReportSlice(otap::TableKind kind, const TableSlice& slice, Location where,
                 ReadReport* report) {
  const otap::TableInfo& table = otap::GetTable(kind);
  where.table = table.directory;
  ReportAllCodes(kind, slice, where, report);
  const std::span<const Leaf> leaves = LeavesOf(kind);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const LeafSlice& leaf = slice.leaves[i];
    if (leaf.num_replaced > 0) {
      report->table(kind).replaced_texts += leaf.num_replaced;
      report->Add(MakeError(ErrorKind::kArrow,
                            fmt::format("column {}: text that is not UTF-8 goes out with U+FFFD in "
                                        "place of the bytes that are not",
                                        leaves[i].path()),
                            where),
                  leaf.num_replaced);
    }
    const otap::Column& column = *leaves[i].column;
    if (!column.required || column.role != otap::ColumnRole::kData) {
      continue;
    }
    if (const int64_t num_null = NumNulls(leaves[i], leaf, slice.num_rows); num_null > 0) {
      report->Add(
          MakeError(ErrorKind::kArrow,
                    fmt::format("column {}: nulls, which the model does not have, go out as "
                                "the default",
                                leaves[i].path()),
                    where),
          num_null);
    }
  }
}

}  // namespace df::lake
