#include "otap_wire/producer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

#include "otap/transport_encode.h"
#include "otap_wire/dictionaries.h"
#include "otap_wire/message.h"
#include "otap_wire/normalize.h"

namespace df::otap_wire {
namespace {

constexpr int64_t kFirstRecordBytes = 4096;

arrow::Result<arrow::ipc::IpcWriteOptions> WriteOptions(BufferCompression compression) {
  arrow::ipc::IpcWriteOptions options = arrow::ipc::IpcWriteOptions::Defaults();
  options.emit_dictionary_deltas = true;
  options.use_threads = false;
  if (compression != BufferCompression::kNone) {
    ARROW_ASSIGN_OR_RAISE(options.codec,
                          arrow::util::Codec::Create(compression == BufferCompression::kZstd
                                                         ? arrow::Compression::ZSTD
                                                         : arrow::Compression::LZ4_FRAME));
  }
  return options;
}

}  // namespace

/// The Arrow IPC stream of one payload type, and what it has been given so far.
struct Producer::TableStream {
  Dictionaries dictionaries;
  std::string schema_id;
  std::shared_ptr<arrow::Schema> schema;
  std::shared_ptr<arrow::io::BufferOutputStream> sink;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer;

  arrow::Status Begin(int64_t id, const std::shared_ptr<arrow::Schema>& new_schema,
                      BufferCompression compression) {
    ARROW_ASSIGN_OR_RAISE(const auto options, WriteOptions(compression));
    ARROW_ASSIGN_OR_RAISE(sink, arrow::io::BufferOutputStream::Create(kFirstRecordBytes));
    ARROW_ASSIGN_OR_RAISE(writer, arrow::ipc::MakeStreamWriter(sink, new_schema, options));
    schema = new_schema;
    schema_id = std::to_string(id);
    return arrow::Status::OK();
  }

  /// Returns what the table adds to the stream.
  arrow::Result<std::shared_ptr<arrow::Buffer>> Write(const arrow::RecordBatch& table) {
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(table));
    ARROW_ASSIGN_OR_RAISE(auto record, sink->Finish());
    ARROW_RETURN_NOT_OK(sink->Reset(kFirstRecordBytes));
    return record;
  }
};

Producer::Producer(otap::Signal signal, const ProducerOptions& options)
    : signal_(signal), options_(options) {}
Producer::~Producer() = default;

arrow::Result<std::string> Producer::Produce(const otap::BatchPtr& batch, int64_t batch_id) {
  if (batch->signal() != signal_ || batch->num_root_rows() > otap::kMaxRootRows) {
    return arrow::Status::Invalid(fmt::format("found {} rows of {}, expected at most {} of {}",
                                              batch->num_root_rows(), otap::Name(batch->signal()),
                                              otap::kMaxRootRows, otap::Name(signal_)));
  }
  ARROW_ASSIGN_OR_RAISE(const otap::BatchPtr encoded,
                        otap::EncodeTransport(batch, &stats_.orphans_dropped));
  auto message = Write(*encoded, batch_id);
  if (!message.ok()) {
    // Some of the streams may have gone on, and nobody will read how.
    streams_ = {};
    return message;
  }
  ++stats_.messages;
  return message;
}

void Producer::Discard() {
  --stats_.messages;
  streams_ = {};
}

arrow::Result<std::string> Producer::Write(const otap::Batch& batch, int64_t batch_id) {
  BatchArrowRecords message{batch_id, {}, {}};
  std::vector<std::shared_ptr<arrow::Buffer>> records;
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (batch.table(info.kind) == nullptr) {
      continue;
    }
    auto& stream = streams_[otap::TableIndex(info.kind)];
    if (stream == nullptr) {
      stream = std::make_unique<TableStream>();
    }
    bool is_new = stream->writer == nullptr;
    if (stream->dictionaries.size_bytes() > options_.dictionary_bytes) {
      stream->dictionaries.Forget();
      is_new = true;
    }
    ARROW_ASSIGN_OR_RAISE(auto table, NormalizeTable(info.kind, *batch.table(info.kind)));
    ARROW_ASSIGN_OR_RAISE(table, stream->dictionaries.Collect(info.kind, table));
    if (is_new || !table->schema()->Equals(*stream->schema, true)) {
      ARROW_RETURN_NOT_OK(stream->Begin(next_schema_id_++, table->schema(), options_.compression));
      ++stats_.schemas;
    }
    ARROW_ASSIGN_OR_RAISE(records.emplace_back(), stream->Write(*table));
    message.payloads.push_back(
        {stream->schema_id, static_cast<int>(info.kind), std::string_view(*records.back())});
  }
  std::sort(message.payloads.begin(), message.payloads.end(),
            [](const ArrowPayload& a, const ArrowPayload& b) { return a.type < b.type; });
  return WriteBatchArrowRecords(message);
}

}  // namespace df::otap_wire
