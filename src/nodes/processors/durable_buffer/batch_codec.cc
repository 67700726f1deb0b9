#include "nodes/processors/durable_buffer/batch_codec.h"

#include <cstring>
#include <limits>
#include <memory>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/api.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

namespace df::nodes::processors::durable_buffer {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeadBytes = 3;
constexpr size_t kTableHeadBytes = 1 + sizeof(uint32_t);

Result<std::shared_ptr<arrow::Buffer>> EncodeTable(const arrow::RecordBatch& table) {
  arrow::ipc::IpcWriteOptions options;
  ARROW_ASSIGN_OR_RAISE(options.codec, arrow::util::Codec::Create(arrow::Compression::ZSTD));
  options.use_threads = false;
  ARROW_ASSIGN_OR_RAISE(const auto sink, arrow::io::BufferOutputStream::Create());
  ARROW_ASSIGN_OR_RAISE(const auto writer,
                        arrow::ipc::MakeStreamWriter(sink, table.schema(), options));
  ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(table));
  ARROW_RETURN_NOT_OK(writer->Close());
  return sink->Finish();
}

Result<std::shared_ptr<arrow::RecordBatch>> DecodeTable(std::string_view bytes) {
  arrow::ipc::IpcReadOptions options;
  options.use_threads = false;
  // The bytes are the caller's: what is not compressed must not point into them.
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> owned,
                        arrow::AllocateBuffer(static_cast<int64_t>(bytes.size())));
  std::memcpy(owned->mutable_data(), bytes.data(), bytes.size());
  ARROW_ASSIGN_OR_RAISE(const auto reader,
                        arrow::ipc::RecordBatchStreamReader::Open(
                            std::make_shared<arrow::io::BufferReader>(owned), options));
  std::shared_ptr<arrow::RecordBatch> table;
  ARROW_RETURN_NOT_OK(reader->ReadNext(&table));
  if (table == nullptr) {
    return Status::Invalid("found a table without rows");
  }
  ARROW_RETURN_NOT_OK(table->Validate());
  return table;
}

}  // namespace

Result<std::string> EncodeBatch(const otap::Batch& batch) {
  std::string bytes = {static_cast<char>(kVersion), static_cast<char>(batch.signal()),
                       static_cast<char>(batch.id_encoding())};
  for (const otap::TableInfo& info : otap::AllTables()) {
    const auto& table = batch.table(info.kind);
    if (table == nullptr) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const auto encoded, EncodeTable(*table));
    if (encoded->size() > std::numeric_limits<uint32_t>::max()) {
      return Status::Invalid(fmt::format("table {} takes {} bytes, expected less than 4 GiB",
                                         info.directory, encoded->size()));
    }
    const auto size = static_cast<uint32_t>(encoded->size());
    bytes += static_cast<char>(info.kind);
    bytes.append(reinterpret_cast<const char*>(&size), sizeof(size));
    bytes.append(reinterpret_cast<const char*>(encoded->data()), size);
  }
  return bytes;
}

Result<otap::BatchPtr> DecodeBatch(std::string_view bytes) {
  if (bytes.size() < kHeadBytes || static_cast<uint8_t>(bytes[0]) != kVersion) {
    return Status::Invalid(fmt::format(
        "found a batch of version {}, expected {}",
        bytes.empty() ? std::string("nothing") : std::to_string(static_cast<uint8_t>(bytes[0])),
        kVersion));
  }
  const auto signal = static_cast<uint8_t>(bytes[1]);
  const auto id_encoding = static_cast<uint8_t>(bytes[2]);
  if (signal >= otap::kAllSignals.size() ||
      id_encoding > static_cast<uint8_t>(otap::IdEncoding::kTransport)) {
    return Status::Invalid(
        fmt::format("found signal {} and id encoding {}, expected 0 to {} and 0 to 1", signal,
                    id_encoding, otap::kAllSignals.size() - 1));
  }
  otap::BatchBuilder builder(static_cast<otap::Signal>(signal),
                             static_cast<otap::IdEncoding>(id_encoding));
  bytes.remove_prefix(kHeadBytes);
  while (!bytes.empty()) {
    uint32_t size = 0;
    if (bytes.size() >= kTableHeadBytes) {
      std::memcpy(&size, bytes.data() + 1, sizeof(size));
    }
    const otap::TableInfo* info = otap::FindTable(static_cast<int>(static_cast<uint8_t>(bytes[0])));
    if (bytes.size() < kTableHeadBytes || bytes.size() - kTableHeadBytes < size ||
        info == nullptr) {
      return Status::Invalid(fmt::format("found table {} of {} bytes in the last {}",
                                         static_cast<uint8_t>(bytes[0]), size, bytes.size()));
    }
    bytes.remove_prefix(kTableHeadBytes);
    ARROW_ASSIGN_OR_RAISE(auto table, DecodeTable(bytes.substr(0, size)));
    ARROW_RETURN_NOT_OK(builder.Set(info->kind, std::move(table)));
    bytes.remove_prefix(size);
  }
  return builder.Build();
}

}  // namespace df::nodes::processors::durable_buffer
