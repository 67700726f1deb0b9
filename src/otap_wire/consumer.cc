#include "otap_wire/consumer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/api.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <fmt/format.h>

#include "otap/id_encoding.h"
#include "otap/misplaced_points.h"
#include "otap/orphans.h"
#include "otap/validate.h"
#include "otap_wire/budget_pool.h"
#include "otap_wire/normalize.h"

namespace df::otap_wire {
namespace {

/// Keeps what the decoder calls back with.
class Collector : public arrow::ipc::Listener {
 public:
  arrow::Status OnEOS() override {
    return arrow::Status::Invalid("found the end of the stream, expected a record batch");
  }
  arrow::Status OnRecordBatchDecoded(std::shared_ptr<arrow::RecordBatch> batch) override {
    if (table_ != nullptr) {
      return arrow::Status::Invalid("found a second record batch, expected one a payload");
    }
    table_ = std::move(batch);
    return arrow::Status::OK();
  }

  std::shared_ptr<arrow::RecordBatch> Take() { return std::exchange(table_, nullptr); }

 private:
  std::shared_ptr<arrow::RecordBatch> table_;
};

arrow::ipc::IpcReadOptions ReadOptions() {
  arrow::ipc::IpcReadOptions options = arrow::ipc::IpcReadOptions::Defaults();
  options.memory_pool = BudgetPool();
  options.use_threads = false;  // the budget is that of this thread
  options.max_recursion_depth = 8;
  return options;
}

arrow::Status At(const otap::TableInfo& info, const arrow::Status& status) {
  return status.WithMessage(fmt::format("payload {} ({}): {}", static_cast<int>(info.kind),
                                        info.directory, status.message()));
}

/// Bytes of the dictionaries of an array and of its children.
int64_t DictionaryBytes(const arrow::ArrayData& data) {
  int64_t size = 0;
  if (data.dictionary != nullptr) {
    for (const auto& buffer : data.dictionary->buffers) {
      size += buffer == nullptr ? 0 : buffer->size();
    }
  }
  for (const auto& child : data.child_data) {
    size += DictionaryBytes(*child);
  }
  return size;
}

}  // namespace

/// The Arrow IPC stream of one schema id.
struct Consumer::IpcStream {
  explicit IpcStream(otap::TableKind table)
      : kind(table), collector(std::make_shared<Collector>()), decoder(collector, ReadOptions()) {}

  otap::TableKind kind;
  std::shared_ptr<Collector> collector;
  arrow::ipc::StreamDecoder decoder;
  int64_t dictionary_bytes = 0;
};

Consumer::Consumer(otap::Signal signal, const ConsumerLimits& limits)
    : signal_(signal), limits_(limits) {}
Consumer::~Consumer() = default;

arrow::Result<otap::BatchPtr> Consumer::Consume(std::string_view bytes) {
  if (static_cast<int64_t>(bytes.size()) > limits_.message_bytes) {
    is_failed_ = true;
    return arrow::Status::Invalid(fmt::format("found a message of {} bytes, expected at most {}",
                                              bytes.size(), limits_.message_bytes));
  }
  auto message = ReadBatchArrowRecords(bytes);
  if (!message.ok()) {
    is_failed_ = true;
    return message.status();
  }
  return Consume(*message);
}

arrow::Result<otap::BatchPtr> Consumer::Consume(const BatchArrowRecords& message) {
  if (is_failed_) {
    return arrow::Status::Invalid("the stream has failed before");
  }
  // Dictionaries of a message that is not read are missing in all later ones (format reference
  // P63), so whatever goes wrong before everything is read ends the stream.
  auto tables = ReadTables(message);
  if (!tables.ok()) {
    is_failed_ = true;
    return tables.status();
  }
  ARROW_ASSIGN_OR_RAISE(otap::BatchPtr batch, MakeBatch(message, *tables));
  ++stats_.messages;
  return batch;
}

arrow::Status Consumer::CheckPayloads(const BatchArrowRecords& message) const {
  uint64_t seen = 0;
  for (const ArrowPayload& payload : message.payloads) {
    const otap::TableInfo* info = otap::FindTable(payload.type);
    if (info == nullptr || info->columns.empty()) {
      return arrow::Status::Invalid(
          fmt::format("found payload type {}, expected one that has a table", payload.type));
    }
    if (!info->has_signal(signal_)) {
      return arrow::Status::Invalid(fmt::format("found payload {} ({}), expected one of {}",
                                                payload.type, info->directory,
                                                otap::Name(signal_)));
    }
    const uint64_t bit = uint64_t{1} << payload.type;
    if ((seen & bit) != 0) {
      return arrow::Status::Invalid(
          fmt::format("found payload {} ({}) twice, expected each once a message", payload.type,
                      info->directory));
    }
    seen |= bit;
  }
  return arrow::Status::OK();
}

arrow::Result<std::vector<Consumer::TablePtr>> Consumer::ReadTables(
    const BatchArrowRecords& message) {
  ARROW_RETURN_NOT_OK(CheckPayloads(message));
  int64_t message_bytes = 0;
  for (const ArrowPayload& payload : message.payloads) {
    message_bytes += static_cast<int64_t>(payload.record.size());
  }
  // Making a batch takes as much again, twice: a few bytes must not cost hundreds of megabytes.
  const int64_t inflated_bytes =
      std::min(limits_.inflated_bytes,
               std::max(message_bytes * limits_.inflated_times, limits_.inflated_anyway));
  const Budget budget(inflated_bytes);
  std::vector<TablePtr> tables;
  for (const ArrowPayload& payload : message.payloads) {
    const otap::TableInfo& info = *otap::FindTable(payload.type);
    auto table = ReadTable(payload, info);
    if (!table.ok()) {
      if (budget.is_exceeded()) {
        return arrow::Status::Invalid(
            fmt::format("payload {} ({}): the message of {} bytes inflates to more than {} bytes",
                        payload.type, info.directory, message_bytes, inflated_bytes));
      }
      return At(info, table.status());
    }
    tables.push_back(*std::move(table));
  }
  ARROW_RETURN_NOT_OK(CheckDictionaries());
  return tables;
}

/// A client that never begins its streams anew would have us keep whatever it has ever sent.
arrow::Status Consumer::CheckDictionaries() const {
  int64_t size = 0;
  for (const auto& [schema_id, stream] : streams_) {
    size += stream->dictionary_bytes;
  }
  if (size > limits_.dictionary_bytes) {
    return arrow::Status::Invalid(
        fmt::format("found dictionaries that have grown to {} bytes, expected at most {}", size,
                    limits_.dictionary_bytes));
  }
  return arrow::Status::OK();
}

arrow::Result<Consumer::IpcStream*> Consumer::StreamOf(const ArrowPayload& payload,
                                                       const otap::TableInfo& info) {
  const auto found = streams_.find(payload.schema_id);
  if (found != streams_.end()) {
    if (found->second->kind != info.kind) {
      return arrow::Status::Invalid(
          fmt::format("found schema id \"{}\" of {}, expected ids of one payload type only",
                      payload.schema_id, otap::GetTable(found->second->kind).directory));
    }
    return found->second.get();
  }
  std::erase_if(streams_, [&](const auto& item) { return item.second->kind == info.kind; });
  return streams_.emplace(std::string(payload.schema_id), std::make_unique<IpcStream>(info.kind))
      .first->second.get();
}

arrow::Result<Consumer::TablePtr> Consumer::ReadTable(const ArrowPayload& payload,
                                                      const otap::TableInfo& info) {
  ARROW_ASSIGN_OR_RAISE(IpcStream * stream, StreamOf(payload, info));
  const int64_t boundary = static_cast<int64_t>(sizeof(int32_t));
  // A copy, because inside a protobuf message nothing is aligned, and the message goes.
  ARROW_ASSIGN_OR_RAISE(
      std::shared_ptr<arrow::Buffer> record,
      arrow::AllocateBuffer(static_cast<int64_t>(payload.record.size()), BudgetPool()));
  if (!payload.record.empty()) {
    std::memcpy(record->mutable_data(), payload.record.data(), payload.record.size());
  }
  ARROW_RETURN_NOT_OK(stream->decoder.Consume(std::move(record)));
  TablePtr table = stream->collector->Take();
  if (stream->decoder.next_required_size() != boundary) {
    return arrow::Status::Invalid("found a cut off message, expected whole ones");
  }
  if (table == nullptr) {
    return arrow::Status::Invalid("found no record batch, expected one a payload");
  }
  stream->dictionary_bytes = 0;
  for (const auto& column : table->column_data()) {
    stream->dictionary_bytes += DictionaryBytes(*column);
  }
  if (table->num_rows() > limits_.table_rows) {
    return arrow::Status::Invalid(
        fmt::format("found {} rows, expected at most {}", table->num_rows(), limits_.table_rows));
  }
  return table;
}

arrow::Result<otap::BatchPtr> Consumer::MakeBatch(const BatchArrowRecords& message,
                                                  const std::vector<TablePtr>& tables) {
  otap::BatchBuilder builder(signal_);
  for (size_t i = 0; i < tables.size(); ++i) {
    const otap::TableInfo& info = *otap::FindTable(message.payloads[i].type);
    if (tables[i]->num_rows() == 0) {
      continue;
    }
    auto table = NormalizeTable(info.kind, *tables[i]);
    if (!table.ok()) {
      return At(info, table.status());
    }
    if (const auto valid = otap::ValidateTable(info.kind, **table); !valid.ok()) {
      return At(info, valid);
    }
    ARROW_ASSIGN_OR_RAISE(TablePtr decoded, otap::DecodeTransportTable(info.kind, *table));
    ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(decoded)));
  }
  ARROW_ASSIGN_OR_RAISE(otap::BatchPtr batch,
                        otap::DropOrphans(builder.Build(), &stats_.orphans_dropped));
  ARROW_RETURN_NOT_OK(otap::Validate(*batch));
  otap::MisplacedPoints misplaced;
  ARROW_ASSIGN_OR_RAISE(batch, otap::DropMisplacedPoints(batch, &misplaced));
  for (const auto& [where, num_points] : misplaced) {
    stats_.points_dropped += num_points;
  }
  stats_.unknown_codes += otap::CountUnknownCodes(*batch);
  return batch;
}

}  // namespace df::otap_wire
