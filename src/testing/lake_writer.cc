#include "testing/lake_writer.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/memory.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include "otap/explicit_booleans.h"
#include "otap/schema.h"
#include "testing/cell.h"
#include "testing/lake_columns.h"
#include "testing/lake_ids.h"
#include "testing/malformed_ids.h"
#include "testing/random_value.h"

namespace df::testing {
namespace {

using otap::TableInfo;
using otap::TableKind;

std::string RandomUuid(RandomEngine& rng) {
  const uint64_t high = rng();
  const uint64_t low = rng();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff,
                     high & 0xfff, 0x8000 | (low >> 48 & 0x3fff), low & 0xffff'ffff'ffff);
}

/// Sets one encoding for every leaf that can take it.
void SetDeltaEncodings(const std::string& path, const arrow::DataType& type,
                       parquet::WriterProperties::Builder& builder) {
  using arrow::Type;
  switch (type.id()) {
    case Type::STRUCT:
      for (const auto& child : type.fields()) {
        SetDeltaEncodings(path + "." + child->name(), *child->type(), builder);
      }
      return;
    case Type::DICTIONARY:
      SetDeltaEncodings(path, *static_cast<const arrow::DictionaryType&>(type).value_type(),
                        builder);
      return;
    case Type::DOUBLE:
      builder.encoding(path, parquet::Encoding::BYTE_STREAM_SPLIT);
      return;
    case Type::STRING:
    case Type::BINARY:
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
    case Type::FIXED_SIZE_BINARY:
      builder.encoding(path, parquet::Encoding::DELTA_BYTE_ARRAY);
      return;
    case Type::BOOL:
    case Type::LIST:
    case Type::LARGE_LIST:
      return;
    default:
      builder.encoding(path, parquet::Encoding::DELTA_BINARY_PACKED);
  }
}

std::shared_ptr<parquet::WriterProperties> FileProperties(const arrow::Schema& schema,
                                                          const LakeWriterOptions& options) {
  parquet::WriterProperties::Builder builder;
  builder.created_by(options.created_by)
      ->compression(options.compression)
      ->max_row_group_length(options.row_group_rows)
      ->data_pagesize(options.data_page_bytes)
      ->max_rows_per_page(options.rows_per_page)
      ->write_batch_size(std::min<int64_t>(1024, options.rows_per_page))
      ->data_page_version(options.data_page_v2 ? parquet::ParquetDataPageVersion::V2
                                               : parquet::ParquetDataPageVersion::V1);
  if (!options.statistics) {
    builder.disable_statistics();
    // Malformed columns are known by their size statistics, which upstream always writes.
    if (!options.malformed_ids) {
      builder.set_size_statistics_level(parquet::SizeStatisticsLevel::None);
    }
  }
  if (!options.page_index) {
    builder.disable_write_page_index();
  }
  if (options.bloom_filters && schema.GetFieldIndex("trace_id") >= 0) {
    builder.enable_bloom_filter("trace_id",
                                {.ndv = std::min<int64_t>(options.row_group_rows, 100'000)});
  }
  if (options.encoding != ValueEncoding::kDictionary) {
    builder.disable_dictionary();
  }
  if (options.encoding == ValueEncoding::kDelta) {
    for (const auto& field : schema.fields()) {
      SetDeltaEncodings(field->name(), *field->type(), builder);
    }
  }
  return builder.build();
}

arrow::Status WriteFile(const std::filesystem::path& path, const arrow::Table& table,
                        bool has_malformed_ids, const LakeWriterOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) {
    return arrow::Status::IOError(path.parent_path().string(), ": ", error.message());
  }
  parquet::ArrowWriterProperties::Builder arrow_builder;
  // The item of a list is named "item", as upstream names it.
  arrow_builder.disable_compliant_nested_types();
  if (options.store_arrow_schema) {
    arrow_builder.store_schema();
  }
  ARROW_ASSIGN_OR_RAISE(auto sink, arrow::io::BufferOutputStream::Create());
  ARROW_ASSIGN_OR_RAISE(
      auto writer, parquet::arrow::FileWriter::Open(*table.schema(), arrow::default_memory_pool(),
                                                    sink, FileProperties(*table.schema(), options),
                                                    arrow_builder.build()));
  if (table.num_rows() > 0) {
    ARROW_RETURN_NOT_OK(writer->WriteTable(table, options.row_group_rows));
  }
  if (options.layout == LakeLayout::kOwn) {
    ARROW_RETURN_NOT_OK(writer->AddKeyValueMetadata(
        arrow::key_value_metadata({"otap.format_version", "otap.id_scope"}, {"1", "partition"})));
  }
  ARROW_RETURN_NOT_OK(writer->Close());
  ARROW_ASSIGN_OR_RAISE(const auto buffer, sink->Finish());
  std::string bytes = buffer->ToString();
  if (has_malformed_ids) {
    ARROW_RETURN_NOT_OK(DeclareIdsFixed(bytes));
  }
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
  stream.close();
  return stream ? arrow::Status::OK() : arrow::Status::IOError("cannot write ", path.string());
}

class LakeWriter {
 public:
  LakeWriter(const std::filesystem::path& base, const LakeWriterOptions& options, uint64_t seed)
      : base_(base), options_(options), rng_(seed) {}

  arrow::Result<WrittenLake> Write(const std::vector<otap::BatchPtr>& batches) {
    ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
    if (options_.partition_levels == 0 && options_.batches_per_partition > 0) {
      return arrow::Status::Invalid("several partitions need a partition level");
    }
    if (options_.malformed_ids && options_.encoding == ValueEncoding::kDelta) {
      return arrow::Status::Invalid("malformed ids have no delta encodings");
    }
    const size_t per_partition = options_.batches_per_partition > 0
                                     ? static_cast<size_t>(options_.batches_per_partition)
                                     : std::max<size_t>(batches.size(), 1);
    for (size_t first = 0; first < batches.size(); first += per_partition) {
      const size_t last = std::min(first + per_partition, batches.size());
      ARROW_RETURN_NOT_OK(WritePartition({batches.begin() + static_cast<int64_t>(first),
                                          batches.begin() + static_cast<int64_t>(last)}));
    }
    return std::move(written_);
  }

 private:
  using Pieces = std::map<TableKind, std::vector<CellTable>>;

  std::string NextPartition() {
    std::string path;
    if (options_.partition_levels >= 2) {
      path = fmt::format("tenant={}/", partition_count_);
    }
    ++partition_count_;
    return options_.partition_levels == 0 ? "" : path + "_part_id=" + RandomUuid(rng_);
  }

  arrow::Status WritePartition(const std::vector<otap::BatchPtr>& batches) {
    const std::string partition = NextPartition();
    LakeIds ids(options_, rng_);
    Pieces pieces;
    for (const otap::BatchPtr& batch : batches) {
      ARROW_RETURN_NOT_OK(AddBatch(*batch, ids, pieces));
    }
    for (auto& [kind, tables] : pieces) {
      if (otap::GetTable(kind).parent_id_bits != 0 && options_.orphan_rows > 0) {
        const size_t victim = static_cast<size_t>(Between(rng_, 0, std::ssize(tables) - 1));
        for (int i = 0; i < options_.orphan_rows; ++i) {
          InsertOrphan(tables[victim], ids.Unused(kind, i), rng_);
        }
        written_.orphans[kind] += options_.orphan_rows;
      }
      ARROW_RETURN_NOT_OK(WriteFiles(kind, partition, tables));
    }
    return arrow::Status::OK();
  }

  arrow::Status AddBatch(const otap::Batch& batch, LakeIds& ids, Pieces& pieces) {
    CellTables tables;
    for (const TableInfo& info : otap::AllTables()) {
      if (batch.table(info.kind) != nullptr) {
        ARROW_ASSIGN_OR_RAISE(const auto rows,
                              otap::WithExplicitBooleans(info.kind, batch.table(info.kind)));
        ARROW_ASSIGN_OR_RAISE(tables[info.kind], ReadCells(*rows));
      }
    }
    ARROW_RETURN_NOT_OK(ids.Shift(batch.signal(), tables));
    if (const auto root = tables.find(otap::RootTable(batch.signal())); root != tables.end()) {
      written_.duplicate_ids += RepeatRootIds(
          root->second, options_.duplicate_ids - static_cast<int>(written_.duplicate_ids), rng_);
    }
    for (const auto& [kind, table] : tables) {
      pieces[kind].push_back(
          OrderBatchRows(CompleteColumns(kind, table, options_), options_.child_order, rng_));
    }
    return arrow::Status::OK();
  }

  /// Cuts the pieces of one table and partition into files.
  arrow::Status WriteFiles(TableKind kind, const std::string& partition,
                           const std::vector<CellTable>& pieces) {
    const int64_t limit =
        otap::GetTable(kind).is_root() ? options_.root_rows_per_file : options_.child_rows_per_file;
    std::vector<CellTable> open;
    int64_t open_rows = 0;
    const auto close = [&]() -> arrow::Status {
      ARROW_RETURN_NOT_OK(WriteOne(kind, partition, Concatenate(open)));
      open.clear();
      open_rows = 0;
      return arrow::Status::OK();
    };
    for (const CellTable& piece : pieces) {
      int64_t first = 0;
      while (first < piece.num_rows) {
        const int64_t room =
            limit > 0 && options_.split_batches ? limit - open_rows : piece.num_rows - first;
        std::vector<int64_t> part;
        for (int64_t row = first; row < std::min(first + room, piece.num_rows); ++row) {
          part.push_back(row);
        }
        first += std::ssize(part);
        open_rows += std::ssize(part);
        open.push_back(TakeRows(piece, part));
        if (limit > 0 && open_rows >= limit) {
          ARROW_RETURN_NOT_OK(close());
        }
      }
    }
    if (!open.empty()) {
      ARROW_RETURN_NOT_OK(close());
    }
    return options_.zero_row_files ? WriteOne(kind, partition, TakeRows(pieces.front(), {}))
                                   : arrow::Status::OK();
  }

  arrow::Status WriteOne(TableKind kind, const std::string& partition, CellTable rows) {
    constexpr int64_t kFirstMillis = 1'756'000'000'000;
    rows = OrderFileRows(std::move(rows), options_.child_order, rng_);
    WrittenFile file{kind, partition, std::string(otap::GetTable(kind).directory) + "/",
                     rows.num_rows};
    file.path += partition.empty() ? "" : partition + "/";
    file.path += fmt::format("part-{}-{}.parquet", kFirstMillis + std::ssize(written_.files),
                             RandomUuid(rng_));
    ARROW_ASSIGN_OR_RAISE(const auto table, FileTable(kind, std::move(rows), options_, rng_));
    const bool has_malformed_ids = options_.malformed_ids &&
                                   options_.layout == LakeLayout::kUpstream &&
                                   IsMalformedUpstream(kind, "trace_id");
    ARROW_RETURN_NOT_OK(WriteFile(base_ / file.path, *table, has_malformed_ids, options_));
    written_.rows[kind] += file.rows;
    written_.files.push_back(std::move(file));
    return arrow::Status::OK();
  }

  const std::filesystem::path& base_;
  const LakeWriterOptions& options_;
  RandomEngine rng_;
  int partition_count_ = 0;
  WrittenLake written_;
};

}  // namespace

arrow::Result<WrittenLake> WriteLake(const std::filesystem::path& base,
                                     const std::vector<otap::BatchPtr>& batches,
                                     const LakeWriterOptions& options, uint64_t seed) {
  return LakeWriter(base, options, seed).Write(batches);
}

}  // namespace df::testing
