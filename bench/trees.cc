#include "trees.h"

#include <filesystem>
#include <map>
#include <random>
#include <vector>

#include <arrow/compute/api.h>
#include <arrow/filesystem/localfs.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_reader.h>
#include <parquet/schema.h>

#include "lake/footer.h"

namespace df::bench {
namespace {

namespace fs = std::filesystem;

std::string FreshId(std::mt19937_64& random) {
  const uint64_t high = random();
  const uint64_t low = random();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xFFFF,
                     high & 0xFFF, 0x8000 | (low >> 48 & 0x3FFF), low & 0xFFFFFFFFFFFF);
}

/// Reads a file whole, with plain text columns and repaired ids.
arrow::Result<std::shared_ptr<arrow::Table>> ReadWhole(const std::string& path) {
  arrow::fs::LocalFileSystem local;
  ARROW_ASSIGN_OR_RAISE(auto file, local.OpenInputFile(path));
  ARROW_ASSIGN_OR_RAISE(const auto footer, lake::ReadFooter(file.get(), {.file = path}));
  parquet::ArrowReaderProperties properties;
  for (int column = 0; column < footer.metadata->num_columns(); ++column) {
    if (footer.metadata->schema()->Column(column)->physical_type() == parquet::Type::BYTE_ARRAY) {
      properties.set_read_dictionary(column, true);
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto reader, parquet::arrow::FileReader::Make(
                                         arrow::default_memory_pool(),
                                         parquet::ParquetFileReader::Open(
                                             file, parquet::ReaderProperties(), footer.metadata),
                                         properties));
  return reader->ReadTable();
}

arrow::Status RewriteTable(const std::vector<std::string>& paths, const std::string& target) {
  std::vector<std::shared_ptr<arrow::Table>> parts;
  for (const std::string& path : paths) {
    ARROW_ASSIGN_OR_RAISE(auto part, ReadWhole(path));
    for (int i = 0; i < part->num_columns(); ++i) {
      const auto& type = part->column(i)->type();
      if (type->id() == arrow::Type::DICTIONARY) {  // files differ in key width: write values
        const auto& value_type = static_cast<const arrow::DictionaryType&>(*type).value_type();
        ARROW_ASSIGN_OR_RAISE(const auto plain, arrow::compute::Cast(part->column(i), value_type));
        ARROW_ASSIGN_OR_RAISE(part,
                              part->SetColumn(i, arrow::field(part->field(i)->name(), value_type),
                                              plain.chunked_array()));
      }
      const std::string& name = part->field(i)->name();
      if ((name == "trace_id" || name == "span_id") &&
          part->column(i)->type()->id() == arrow::Type::BINARY) {
        ARROW_ASSIGN_OR_RAISE(
            const auto fixed,
            arrow::compute::Cast(part->column(i),
                                 arrow::fixed_size_binary(name == "trace_id" ? 16 : 8)));
        ARROW_ASSIGN_OR_RAISE(
            part, part->SetColumn(i, arrow::field(name, fixed.type()), fixed.chunked_array()));
      }
    }
    parts.push_back(part->ReplaceSchemaMetadata(nullptr));
  }
  arrow::ConcatenateTablesOptions options = arrow::ConcatenateTablesOptions::Defaults();
  options.unify_schemas = true;
  options.field_merge_options = arrow::Field::MergeOptions::Permissive();
  ARROW_ASSIGN_OR_RAISE(auto table, arrow::ConcatenateTables(parts, options));
  if (table->schema()->GetFieldIndex("parent_id") >= 0) {
    const arrow::compute::SortOptions by_parent({arrow::compute::SortKey("parent_id")});
    ARROW_ASSIGN_OR_RAISE(const auto order,
                          arrow::compute::SortIndices(arrow::Datum(table), by_parent));
    ARROW_ASSIGN_OR_RAISE(const auto sorted, arrow::compute::Take(table, order));
    table = sorted.table();
  }
  fs::create_directories(fs::path(target).parent_path());
  ARROW_ASSIGN_OR_RAISE(auto sink, arrow::io::FileOutputStream::Open(target));
  const auto properties =
      parquet::WriterProperties::Builder().compression(arrow::Compression::ZSTD)->build();
  return parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 1 << 20,
                                    properties);
}

}  // namespace

arrow::Status MultiplyTree(const std::string& source, const std::string& target, int copies) {
  std::mt19937_64 random(2026);
  fs::remove_all(target);
  std::map<std::string, std::vector<std::string>> new_ids;
  for (const auto& table : fs::directory_iterator(source)) {
    for (const auto& partition : fs::directory_iterator(table.path())) {
      auto& ids = new_ids[partition.path().filename().string()];
      while (static_cast<int>(ids.size()) < copies) {
        ids.push_back("_part_id=" + FreshId(random));
      }
      for (const std::string& id : ids) {
        const fs::path folder = fs::path(target) / table.path().filename() / id;
        fs::create_directories(folder);
        fs::copy(partition.path(), folder, fs::copy_options::recursive);
      }
    }
  }
  return arrow::Status::OK();
}

arrow::Status RewriteInRowOrder(const std::string& source, const std::string& target) {
  fs::remove_all(target);
  for (const auto& table : fs::directory_iterator(source)) {
    for (const auto& partition : fs::directory_iterator(table.path())) {
      std::vector<std::string> paths;
      for (const auto& file : fs::directory_iterator(partition.path())) {
        paths.push_back(file.path().string());
      }
      std::sort(paths.begin(), paths.end());
      const fs::path file = fs::path(target) / table.path().filename() /
                            partition.path().filename() / "part-1756000000000-rewritten.parquet";
      ARROW_RETURN_NOT_OK(RewriteTable(paths, file.string()));
    }
  }
  return arrow::Status::OK();
}

}  // namespace df::bench
