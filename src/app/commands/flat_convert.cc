#include "app/commands/flat_convert.h"

#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <arrow/csv/options.h>
#include <arrow/csv/writer.h>
#include <arrow/io/file.h>
#include <arrow/io/stdio.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>
#include <unistd.h>

#include "app/commands/archive.h"
#include "app/commands/exit_codes.h"
#include "app/commands/flat_rows.h"
#include "app/commands/records.h"
#include "app/commands/signal_names.h"
#include "app/standard_output.h"
#include "base/text.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;

/// Rows of a row group of Parquet.
constexpr int64_t kRowGroupRows = 100'000;

/// A file of rows. Owner: one that is not closed is removed. Calls: from one thread at a time.
class FlatFile {
 public:
  /// `path` is "-" for stdout, of CSV only. Errors: IOError naming the file.
  static Result<std::unique_ptr<FlatFile>> Make(const std::string& path, bool is_csv,
                                                const std::shared_ptr<arrow::Schema>& schema) {
    std::unique_ptr<FlatFile> file(new FlatFile(path));
    if (path == "-") {
      file->sink_ = std::make_shared<arrow::io::StdoutStream>();
    } else {
      ARROW_ASSIGN_OR_RAISE(file->sink_, arrow::io::FileOutputStream::Open(file->temporary_));
    }
    if (is_csv) {
      ARROW_ASSIGN_OR_RAISE(
          file->csv_,
          arrow::csv::MakeCSVWriter(file->sink_, schema, arrow::csv::WriteOptions::Defaults()));
      return file;
    }
    const auto properties =
        parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
    ARROW_ASSIGN_OR_RAISE(
        file->parquet_,
        parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), file->sink_,
                                         properties, parquet::default_arrow_writer_properties()));
    return file;
  }

  ~FlatFile() {
    if (!is_closed_ && path_ != "-") {
      std::error_code ignored;
      fs::remove(temporary_, ignored);
    }
  }
  FlatFile(const FlatFile&) = delete;
  FlatFile& operator=(const FlatFile&) = delete;

  Status Write(std::shared_ptr<arrow::RecordBatch> rows) {
    num_rows_ += rows->num_rows();
    if (csv_ != nullptr) {
      return csv_->WriteRecordBatch(*rows);
    }
    num_waiting_ += rows->num_rows();
    waiting_.push_back(std::move(rows));
    return num_waiting_ >= kRowGroupRows ? Flush() : Status::OK();
  }

  /// Ends the file and gives it its name.
  Status Close() {
    if (csv_ != nullptr) {
      ARROW_RETURN_NOT_OK(csv_->Close());
    } else {
      ARROW_RETURN_NOT_OK(Flush());
      ARROW_RETURN_NOT_OK(parquet_->Close());
    }
    if (path_ == "-") {
      is_closed_ = true;
      return sink_->Flush();
    }
    ARROW_RETURN_NOT_OK(sink_->Close());
    std::error_code error;
    fs::rename(temporary_, path_, error);
    if (error) {
      return Status::IOError(
          fmt::format("'{}' cannot be put in place: {}", PrintableText(path_), error.message()));
    }
    is_closed_ = true;
    return Status::OK();
  }

  int64_t num_rows() const { return num_rows_; }
  const std::string& path() const { return path_; }

 private:
  explicit FlatFile(std::string path)
      : path_(std::move(path)), temporary_(fmt::format("{}.tmp-{}", path_, getpid())) {}

  Status Flush() {
    if (waiting_.empty()) {
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(const auto table, arrow::Table::FromRecordBatches(waiting_));
    waiting_.clear();
    num_waiting_ = 0;
    return parquet_->WriteTable(*table, kRowGroupRows);
  }

  std::string path_;
  std::string temporary_;
  std::shared_ptr<arrow::io::OutputStream> sink_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> csv_;
  std::unique_ptr<parquet::arrow::FileWriter> parquet_;
  arrow::RecordBatchVector waiting_;
  int64_t num_waiting_ = 0;
  int64_t num_rows_ = 0;
  bool is_closed_ = false;
};

/// Where the rows of each signal go.
class FlatOutput {
 public:
  explicit FlatOutput(const FlatConversion& conversion) : conversion_(conversion) {}

  /// Finds out what `-o` means. Errors: Invalid saying what is expected.
  Status Begin(const std::vector<otap::Signal>& signals) {
    const std::string& output = conversion_.output;
    const std::string_view ending = conversion_.is_csv ? ".csv" : ".parquet";
    is_file_ = output == "-" || output.ends_with(ending);
    if (output == "-" && !conversion_.is_csv) {
      return Status::Invalid("-o: Parquet is not for stdout, expected a file or folder");
    }
    if (is_file_ && signals.size() != 1) {
      return Status::Invalid(
          fmt::format("-o: one file holds one signal; say which with --signal, or name a folder"));
    }
    const bool has_other_ending =
        fs::path(output).has_extension() && !is_file_ && !fs::is_directory(output);
    if (has_other_ending) {
      return Status::Invalid(
          fmt::format("-o: found '{}', expected a name that ends in {}, or a "
                      "folder",
                      PrintableText(output), ending));
    }
    return Status::OK();
  }

  Status Write(const otap::Batch& batch) {
    const auto index = static_cast<size_t>(batch.signal());
    ARROW_RETURN_NOT_OK(Prepare(batch.signal()));
    for (const otap::TableKind table : ItemTablesOf(batch)) {
      ARROW_ASSIGN_OR_RAISE(auto rows, rows_[index]->Convert(batch, table));
      const std::lock_guard lock(mutex_);
      ARROW_RETURN_NOT_OK(files_[index]->Write(std::move(rows)));
    }
    return Status::OK();
  }

  Status Close(std::string* summary, int64_t* num_rows) {
    for (const otap::Signal signal : otap::kAllSignals) {
      const auto& file = files_[static_cast<size_t>(signal)];
      if (file == nullptr) {
        continue;
      }
      ARROW_RETURN_NOT_OK(file->Close());
      *num_rows += file->num_rows();
      *summary += fmt::format("{}{} {} to {}", summary->empty() ? "wrote " : ", ",
                              ShowCount(file->num_rows()), ItemsName(signal),
                              file->path() == "-" ? "stdout" : PrintableText(file->path()));
    }
    return Status::OK();
  }

 private:
  /// Makes the file of a signal when its first rows come.
  Status Prepare(otap::Signal signal) {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<size_t>(signal);
    if (files_[index] != nullptr) {
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(auto rows, FlatRows::Make(signal));
    rows_[index] = std::make_unique<FlatRows>(std::move(rows));
    std::string path = conversion_.output;
    if (!is_file_) {
      std::error_code error;
      fs::create_directories(path, error);
      if (error) {
        return Status::IOError(fmt::format("the folder '{}' cannot be made: {}",
                                           PrintableText(path), error.message()));
      }
      path = (fs::path(path) /
              fmt::format("{}.{}", ItemsName(signal), conversion_.is_csv ? "csv" : "parquet"))
                 .string();
    }
    ARROW_ASSIGN_OR_RAISE(files_[index],
                          FlatFile::Make(path, conversion_.is_csv, rows_[index]->schema()));
    return Status::OK();
  }

  const FlatConversion& conversion_;
  bool is_file_ = false;
  std::mutex mutex_;
  std::array<std::unique_ptr<FlatRows>, otap::kAllSignals.size()> rows_;
  std::array<std::unique_ptr<FlatFile>, otap::kAllSignals.size()> files_;
};

}  // namespace

int ConvertFlat(const FlatConversion& conversion) {
  auto archive = OpenArchive(conversion.archive, conversion.selection, conversion.signals);
  if (!archive.ok()) {
    return FailCommand(conversion.command, archive.status());
  }
  std::vector<otap::Signal> signals = conversion.signals;
  if (signals.empty()) {
    for (const otap::Signal signal : (*archive)->options().signals) {
      if (!(*archive)->RowGroupsOf(signal).empty()) {
        signals.push_back(signal);
      }
    }
  }
  FlatOutput output(conversion);
  Status status = output.Begin(signals);
  if (status.ok()) {
    status = (*archive)->Read(
        {}, [&](const lake::Payload& payload, size_t) { return output.Write(*payload.batch); },
        signals);
  }
  std::string summary;
  int64_t num_rows = 0;
  if (status.ok()) {
    status = output.Close(&summary, &num_rows);
  }
  if (!status.ok()) {
    return FailCommand(conversion.command, status);
  }
  const bool is_incomplete =
      PrintProblems(conversion.command, **archive, conversion.archive.is_quiet);
  if (!summary.empty()) {
    PrintRemark(conversion.archive, summary);
  }
  return is_incomplete && !conversion.allows_incomplete ? kExitIncomplete
         : num_rows == 0                                ? kExitNothingFound
                                                        : kExitClean;
}

}  // namespace df::app
