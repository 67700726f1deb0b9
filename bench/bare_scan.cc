#include "bare_scan.h"

#include <chrono>
#include <filesystem>
#include <vector>

#include <arrow/filesystem/localfs.h>
#include <arrow/table.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/schema.h>

#include "lake/format/footer.h"

namespace df::bench {
namespace {

arrow::Status ScanFile(arrow::fs::FileSystem& file_system, const std::string& path,
                       bool read_dictionary, ScanResult* result) {
  ARROW_ASSIGN_OR_RAISE(auto file, file_system.OpenInputFile(path));
  ARROW_ASSIGN_OR_RAISE(const auto footer, lake::ReadFooter(file.get(), {.file = path}));
  parquet::ArrowReaderProperties properties(/*use_threads=*/false);
  properties.set_pre_buffer(false);
  const parquet::SchemaDescriptor& schema = *footer.metadata->schema();
  for (int column = 0; column < schema.num_columns(); ++column) {
    if (schema.Column(column)->physical_type() == parquet::Type::BYTE_ARRAY) {
      properties.set_read_dictionary(column, read_dictionary);
    }
  }
  // The stored Arrow schema promises dictionary widths that do not hold, so it is dropped from the
  // metadata.
  auto reader =
      parquet::ParquetFileReader::Open(file, parquet::ReaderProperties(), footer.metadata);
  ARROW_ASSIGN_OR_RAISE(auto arrow_reader,
                        parquet::arrow::FileReader::Make(arrow::default_memory_pool(),
                                                         std::move(reader), properties));
  for (int group = 0; group < footer.metadata->num_row_groups(); ++group) {
    ARROW_ASSIGN_OR_RAISE(const auto table, arrow_reader->ReadRowGroup(group));
    result->num_rows += table->num_rows();
  }
  result->file_bytes += footer.file_size_bytes;
  ++result->num_files;
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<ScanResult> BareScan(const std::string& base, bool read_dictionary) {
  arrow::fs::LocalFileSystem file_system;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base)) {
    if (entry.is_regular_file() && entry.path().extension() == ".parquet") {
      paths.push_back(entry.path().string());
    }
  }
  ScanResult result;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& path : paths) {
    ARROW_RETURN_NOT_OK(ScanFile(file_system, path, read_dictionary, &result));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace df::bench
