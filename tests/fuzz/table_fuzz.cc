// Feeds bytes as a Parquet file of a table (the first byte chooses which) and reads every leaf of
// every row group.
#include <cstdint>
#include <memory>
#include <string>

#include <arrow/filesystem/mockfs.h>
#include <arrow/util/io_util.h>

#include "lake/format/table_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace df;  // NOLINT: a fuzz target is a main function
  if (size < 1) {
    return 0;
  }
  const otap::TableInfo& table = otap::AllTables()[data[0] % otap::kTableCount];
  const auto file_system =
      std::make_shared<arrow::fs::internal::MockFileSystem>(arrow::fs::TimePoint{});
  const std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (!file_system->CreateFile("f.parquet", bytes).ok()) {
    return 0;
  }
  const auto store = storage::Store::Over({}, {}, file_system);
  const auto file = lake::TableFile::Open(*store, "f.parquet", table.kind, {.file = "f.parquet"});
  if (!file.ok()) {
    return 0;
  }
  const std::vector<bool> wanted(lake::LeavesOf(table.kind).size(), true);
  for (int group = 0; group < (*file)->num_row_groups(); ++group) {
    constexpr int64_t kMostRows = 100'000;  // a forged count would only fill memory
    if ((*file)->num_rows(group) > kMostRows) {
      continue;
    }
    const auto stream = (*file)->OpenRowGroup(group, wanted);
    for (int64_t row = 0; stream.ok() && row < (*file)->num_rows(group); row += 100) {
      const auto slices = (*stream)->Next(std::min<int64_t>(100, (*file)->num_rows(group) - row));
      if (!slices.ok()) {
        break;
      }
      for (const lake::LeafSlice& slice : *slices) {
        if (slice.values != nullptr && !slice.values->ValidateFull().ok()) {
          // Text may hold any bytes; everything else must be valid.
          if (slice.values->type_id() != arrow::Type::STRING &&
              slice.values->type_id() != arrow::Type::DICTIONARY) {
            __builtin_trap();
          }
        }
      }
    }
  }
  return 0;
}
