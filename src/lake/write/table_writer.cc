#include "lake/write/table_writer.h"

#include <algorithm>
#include <utility>

#include <arrow/array/array_base.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>

#include "lake/format/footer_checksum.h"
#include "lake/format/own_keys.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/write/checksum_stream.h"
#include "lake/write/file_schema.h"

namespace df::lake {
namespace {

class ParquetTableWriter final : public TableWriter {
 public:
  ParquetTableWriter(const WriteOptions& options, std::shared_ptr<arrow::io::OutputStream> sink,
                     Location location)
      : row_group_rows_(options.row_group_rows),
        sink_(std::make_shared<ChecksumStream>(std::move(sink))),
        location_(std::move(location)) {}

  Status Open(otap::TableKind kind, const WriteOptions& options, int64_t row_group_rows) {
    parquet::ArrowWriterProperties::Builder arrow_properties;
    // The item of a list is named "item", as other writers of this format name it.
    arrow_properties.store_schema()->disable_compliant_nested_types();
    return Wrap([&]() -> Status {
      ARROW_ASSIGN_OR_RAISE(
          writer_, parquet::arrow::FileWriter::Open(
                       *FileSchema(kind), arrow::default_memory_pool(), sink_,
                       FileProperties(kind, options, row_group_rows), arrow_properties.build()));
      auto keys = arrow::key_value_metadata({kFormatVersionKey, kLayoutKey, kIdScopeKey},
                                            {std::to_string(kFormatVersion), kLayout, kIdScope});
      if (!options.producer.empty()) {
        keys->Append(kProducerKey, options.producer);
      }
      if (options.holds_dead_letters) {
        keys->Append(kDeadLettersKey, kDeadLetters);
      }
      return writer_->AddKeyValueMetadata(keys);
    });
  }

  Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    for (int64_t first = 0; first < rows->num_rows(); first += row_group_rows_) {
      const int64_t count = std::min(row_group_rows_, rows->num_rows() - first);
      ARROW_RETURN_NOT_OK(Wrap([&] { return WriteRowGroup(*rows, first, count); }));
      num_rows_ += count;
    }
    return Status::OK();
  }

  Status AddKey(const std::string& key, const std::string& value) override {
    return Wrap(
        [&] { return writer_->AddKeyValueMetadata(arrow::key_value_metadata({key}, {value})); });
  }

  Status Close() override {
    ARROW_RETURN_NOT_OK(Wrap([&]() -> Status {
      sink_->HoldBack();
      ARROW_RETURN_NOT_OK(writer_->AddKeyValueMetadata(arrow::key_value_metadata(
          {std::string(kFooterChecksumKey)}, {std::string(kUnknownFooterChecksum)})));
      ARROW_RETURN_NOT_OK(writer_->Close());
      return sink_->Release();
    }));
    ARROW_ASSIGN_OR_RAISE(closed_bytes_, sink_->Tell());
    return Status::OK();
  }

  int64_t size_bytes() const override {
    return closed_bytes_ > 0 ? closed_bytes_ : sink_->Tell().ValueOr(0);
  }
  int64_t num_rows() const override { return num_rows_; }

 private:
  Status WriteRowGroup(const arrow::RecordBatch& rows, int64_t first, int64_t count) {
    ARROW_RETURN_NOT_OK(writer_->NewRowGroup());
    for (const auto& column : rows.columns()) {
      const auto slice = count == rows.num_rows() ? column : column->Slice(first, count);
      ARROW_RETURN_NOT_OK(writer_->WriteColumnChunk(*slice));
    }
    return Status::OK();
  }

  template <typename Call>
  Status Wrap(const Call& call) {
    const Status status = CatchParquet(location_, call);
    const bool is_io = status.IsIOError();
    return WithContext(status, is_io ? ErrorKind::kIo : ErrorKind::kParquet, location_, is_io);
  }

  int64_t row_group_rows_;
  std::shared_ptr<ChecksumStream> sink_;
  Location location_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t num_rows_ = 0;
  int64_t closed_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<TableWriter>> TableWriter::Make(
    otap::TableKind kind, const WriteOptions& options, int64_t row_group_rows,
    std::shared_ptr<arrow::io::OutputStream> sink, const Location& location) {
  auto writer = std::make_unique<ParquetTableWriter>(options, std::move(sink), location);
  ARROW_RETURN_NOT_OK(writer->Open(kind, options, row_group_rows));
  return writer;
}

}  // namespace df::lake
