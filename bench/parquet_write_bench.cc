// Writes a tree anew, with the writer of the lake and with Arrow's writer as pyarrow uses it, on
// one thread, side by side in one run; and says how large the files are beside those of the source.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <arrow/compute/api.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <arrow/util/thread_pool.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/catalog.h"
#include "lake/read/partition_reader.h"
#include "lake/write/batch_rows.h"
#include "lake/write/file_schema.h"
#include "lake/write/signal_writer.h"
#include "storage/store.h"

namespace df::bench {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string source;
  std::string work_folder;
  int repeats = 3;
  int level = 3;
  int copies = 1;
  int64_t batch_size = 8192;
};

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Reads a whole tree as batches, as a receiver does.
Result<std::vector<otap::BatchPtr>> ReadBatches(const Settings& settings) {
  std::vector<otap::BatchPtr> batches;
  const auto store = storage::Store::Local();
  lake::ReadOptions options;
  options.batch_size = settings.batch_size;
  lake::ReadReport report;
  lake::MemoryBudget budget(options.memory_limit_bytes);
  ARROW_ASSIGN_OR_RAISE(const auto listing,
                        lake::ListLake(*store, settings.source, options.signals));
  for (const lake::PartitionListing& partition : listing.partitions) {
    const auto files = std::make_shared<lake::PartitionFiles>(
        lake::LoadPartition(*store, settings.source, partition, &report));
    for (const otap::Signal signal : options.signals) {
      lake::PartitionTask task;
      task.signal = signal;
      task.files = files;
      for (size_t i = 0; i < files->of(otap::RootTable(signal)).size(); ++i) {
        task.root_files.push_back(i);
      }
      ARROW_ASSIGN_OR_RAISE(
          auto reader, lake::PartitionReader::Make(store.get(), settings.source, std::move(task),
                                                   options, &budget, &report));
      while (true) {
        ARROW_ASSIGN_OR_RAISE(auto payload, reader->Next());
        if (!payload.has_value()) {
          break;
        }
        batches.push_back(std::move(payload->batch));
      }
    }
  }
  const std::vector<otap::BatchPtr> once = batches;
  for (int copy = 1; copy < settings.copies; ++copy) {
    batches.insert(batches.end(), once.begin(), once.end());
  }
  return batches;
}

int64_t CountRows(const std::vector<otap::BatchPtr>& batches) {
  int64_t rows = 0;
  for (const otap::BatchPtr& batch : batches) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      rows += batch->table(info.kind) == nullptr ? 0 : batch->table(info.kind)->num_rows();
    }
  }
  return rows;
}

int64_t TreeBytes(const std::string& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      bytes += static_cast<int64_t>(entry.file_size());
    }
  }
  return bytes;
}

/// Keeps the first error.
class Errors final : public lake::WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t>) override {}
  void OnClosed(std::span<const uint64_t>, lake::CloseReason, const lake::FileCounts&,
                const Status& closed) override {
    status &= closed;
  }
  void OnRefused(uint64_t, const Status& refused) override { status &= refused; }

  Status status;
};

/// Writes the batches as the exporter does. Returns CPU seconds.
Result<double> WriteLake(const Settings& settings, const std::vector<otap::BatchPtr>& batches,
                         const std::string& target) {
  fs::remove_all(target);
  const double start = CpuSeconds();
  const auto store = lake::MakeLocalStore(target);
  Errors errors;
  lake::SignalWriter::Settings writer_settings;
  writer_settings.options.compression.level = settings.level;
  writer_settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
  std::map<otap::Signal, std::unique_ptr<lake::SignalWriter>> writers;
  for (const otap::BatchPtr& batch : batches) {
    auto& writer = writers[batch->signal()];
    if (writer == nullptr) {
      lake::WriteListener* const listener = &errors;
      writer = std::make_unique<lake::SignalWriter>(store.get(), batch->signal(), writer_settings,
                                                    listener);
    }
    writer->Add(batch, 0);
  }
  for (auto& [signal, writer] : writers) {
    writer->Close(lake::CloseReason::kEnd);
  }
  ARROW_RETURN_NOT_OK(errors.status);
  return CpuSeconds() - start;
}

using Tables = std::map<otap::TableKind, std::shared_ptr<arrow::Table>>;

/// Makes whole tables for the other writer: the same rows with the same ids, text as dictionaries
/// or plain.
Result<Tables> MakeTables(const std::vector<otap::BatchPtr>& batches, bool is_plain) {
  Tables tables;
  for (const otap::TableInfo& info : otap::AllTables()) {
    std::vector<lake::BatchRows> pieces;
    uint32_t first_id = 0;
    for (const otap::BatchPtr& batch : batches) {
      if (const auto& rows = batch->table(info.kind); rows != nullptr) {
        ARROW_ASSIGN_OR_RAISE(pieces.emplace_back(), lake::TakeApart(info.kind, rows, first_id));
      }
      first_id += lake::LargestId(*batch) + 1;
    }
    if (pieces.empty()) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto rows, lake::PutTogether(info.kind, pieces));
    ARROW_ASSIGN_OR_RAISE(auto table, arrow::Table::FromRecordBatches({rows}));
    if (is_plain) {
      arrow::ChunkedArrayVector columns;
      for (int i = 0; i < table->num_columns(); ++i) {
        const auto& type = lake::FileSchema(info.kind)->field(i)->type();
        auto plain = arrow::compute::Cast(table->column(i), type);
        columns.push_back(plain.ok() ? plain->chunked_array() : table->column(i));
      }
      arrow::FieldVector fields;
      for (size_t i = 0; i < columns.size(); ++i) {
        fields.push_back(
            arrow::field(table->field(static_cast<int>(i))->name(), columns[i]->type()));
      }
      table = arrow::Table::Make(arrow::schema(fields), columns);
    }
    tables[info.kind] = std::move(table);
  }
  return tables;
}

/// Writes the tables with the properties that pyarrow.parquet.write_table has by default.
Result<double> WriteAsPyarrow(const Settings& settings, const Tables& tables,
                              const std::string& target) {
  fs::remove_all(target);
  fs::create_directories(target);
  const double start = CpuSeconds();
  const auto properties = parquet::WriterProperties::Builder()
                              .compression(arrow::Compression::ZSTD)
                              ->compression_level(settings.level)
                              ->build();
  const auto arrow_properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  for (const auto& [kind, table] : tables) {
    ARROW_ASSIGN_OR_RAISE(auto sink, arrow::io::FileOutputStream::Open(fmt::format(
                                         "{}/{}.parquet", target, otap::GetTable(kind).directory)));
    ARROW_RETURN_NOT_OK(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink,
                                                   1 << 20, properties, arrow_properties));
    ARROW_RETURN_NOT_OK(sink->Close());
  }
  return CpuSeconds() - start;
}

Status Run(const Settings& settings) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  ARROW_ASSIGN_OR_RAISE(const auto batches, ReadBatches(settings));
  const int64_t rows = CountRows(batches);
  ARROW_ASSIGN_OR_RAISE(const Tables dictionaries, MakeTables(batches, /*is_plain=*/false));
  ARROW_ASSIGN_OR_RAISE(const Tables plain, MakeTables(batches, /*is_plain=*/true));
  double best = 1e9;
  double best_dictionaries = 1e9;
  double best_plain = 1e9;
  const std::string own = settings.work_folder + "/own";
  const std::string other = settings.work_folder + "/other";
  for (int i = 0; i < settings.repeats; ++i) {
    ARROW_ASSIGN_OR_RAISE(const double seconds, WriteLake(settings, batches, own));
    ARROW_ASSIGN_OR_RAISE(const double with, WriteAsPyarrow(settings, dictionaries, other));
    ARROW_ASSIGN_OR_RAISE(const double without, WriteAsPyarrow(settings, plain, other));
    best = std::min(best, seconds);
    best_dictionaries = std::min(best_dictionaries, with);
    best_plain = std::min(best_plain, without);
  }
  const double own_rate = static_cast<double>(rows) / best / 1e6;
  fmt::print("{}: {} rows, zstd:{}, best of {} runs, CPU time of one thread\n", settings.source,
             rows, settings.level, settings.repeats);
  fmt::print("  lake writer                    {:7.3f} s {:6.2f} Mrows/s {:>11} bytes\n", best,
             own_rate, TreeBytes(own));
  fmt::print("  pyarrow, text as dictionaries  {:7.3f} s {:6.2f} Mrows/s\n", best_dictionaries,
             static_cast<double>(rows) / best_dictionaries / 1e6);
  fmt::print("  pyarrow, plain text            {:7.3f} s {:6.2f} Mrows/s {:>11} bytes\n",
             best_plain, static_cast<double>(rows) / best_plain / 1e6, TreeBytes(other));
  fmt::print("  ratio {:.2f} to dictionaries, {:.2f} to plain text (must: 1.5)\n",
             best_dictionaries / best, best_plain / best);
  fmt::print("  own files are {:.1f} % of the source's {} bytes (must: 60)\n",
             100.0 * static_cast<double>(TreeBytes(own)) * 1.0 / settings.copies /
                 static_cast<double>(TreeBytes(settings.source)),
             TreeBytes(settings.source));
  return Status::OK();
}

}  // namespace
}  // namespace df::bench

int main(int argc, char** argv) {
  CLI::App app("Writes a tree anew, beside Arrow's own writer.");
  df::bench::Settings settings;
  app.add_option("--source", settings.source, "tree to write anew")->required();
  app.add_option("--work", settings.work_folder, "folder for what is written")->required();
  app.add_option("--repeats", settings.repeats, "the best of so many runs counts");
  app.add_option("--level", settings.level, "zstd level of both");
  app.add_option("--copies", settings.copies, "how often the batches are written");
  app.add_option("--batch-size", settings.batch_size, "records, spans or metrics of a batch");
  CLI11_PARSE(app, argc, argv);
  if (const df::Status status = df::bench::Run(settings); !status.ok()) {
    fmt::print(stderr, "{}\n", status.ToString());
    return 1;
  }
  return 0;
}
