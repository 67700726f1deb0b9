// Checkpoints of Delta logs: the actions of all versions up to one, in Parquet.
#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include "base/text.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/lists/delta_log.h"

namespace df::lake {
namespace {

constexpr int64_t kBatchRows = 4096;

/// Actions that a checkpoint may have beside those that are read.
constexpr std::string_view kIgnored[] = {"remove", "txn", "cdc", "commitInfo", "domainMetadata"};
/// Parts of actions that are read; other ones, like statistics in columns, may be large.
constexpr std::string_view kRead[] = {
    "add.path",  "add.size",  "add.stats", "add.partitionValues.", "add.deletionVector.",
    "metaData.", "protocol.", "sidecar.",  "checkpointMetadata."};

/// A column of structs, or none; null rows have no action.
class Actions {
 public:
  explicit Actions(std::shared_ptr<arrow::Array> array)
      : array_(std::dynamic_pointer_cast<arrow::StructArray>(std::move(array))) {}

  bool Has(int64_t row) const { return array_ != nullptr && array_->IsValid(row); }

  /// Returns a field that is not null in a row, or null.
  Result<std::shared_ptr<arrow::Scalar>> Field(const std::string& name, int64_t row) const {
    const auto field = array_->GetFieldByName(name);
    if (field == nullptr || field->IsNull(row)) {
      return nullptr;
    }
    return field->GetScalar(row);
  }

  Result<std::string> Text(const std::string& name, int64_t row) const {
    ARROW_ASSIGN_OR_RAISE(const auto value, Field(name, row));
    return value == nullptr ? Result<std::string>("") : TextOf(*value, name);
  }

  Result<int64_t> Integer(const std::string& name, int64_t row) const {
    ARROW_ASSIGN_OR_RAISE(const auto value, Field(name, row));
    if (value == nullptr) {
      return Status::Invalid(fmt::format("{}: found none, expected a whole number", name));
    }
    if (value->type->id() == arrow::Type::INT32) {
      return static_cast<const arrow::Int32Scalar&>(*value).value;
    }
    if (value->type->id() == arrow::Type::INT64) {
      return static_cast<const arrow::Int64Scalar&>(*value).value;
    }
    return Status::Invalid(
        fmt::format("{}: found {}, expected a whole number", name, value->type->ToString()));
  }

  Result<std::vector<std::string>> Texts(const std::string& name, int64_t row) const {
    std::vector<std::string> texts;
    ARROW_ASSIGN_OR_RAISE(const auto value, Field(name, row));
    if (value == nullptr) {
      return texts;
    }
    const auto* list = dynamic_cast<const arrow::BaseListScalar*>(value.get());
    if (list == nullptr) {
      return Status::Invalid(
          fmt::format("{}: found {}, expected a list", name, value->type->ToString()));
    }
    for (int64_t i = 0; i < list->value->length(); ++i) {
      ARROW_ASSIGN_OR_RAISE(const auto item, list->value->GetScalar(i));
      ARROW_ASSIGN_OR_RAISE(std::string text, TextOf(*item, name));
      texts.push_back(std::move(text));
    }
    return texts;
  }

  Result<std::map<std::string, std::string>> Map(const std::string& name, int64_t row) const {
    std::map<std::string, std::string> texts;
    ARROW_ASSIGN_OR_RAISE(const auto value, Field(name, row));
    if (value == nullptr) {
      return texts;
    }
    const auto* map = dynamic_cast<const arrow::MapScalar*>(value.get());
    if (map == nullptr) {
      return Status::Invalid(
          fmt::format("{}: found {}, expected a map", name, value->type->ToString()));
    }
    const auto& entries = static_cast<const arrow::StructArray&>(*map->value);
    for (int64_t i = 0; i < entries.length(); ++i) {
      ARROW_ASSIGN_OR_RAISE(const auto key, entries.field(0)->GetScalar(i));
      ARROW_ASSIGN_OR_RAISE(const auto item, entries.field(1)->GetScalar(i));
      ARROW_ASSIGN_OR_RAISE(std::string key_text, TextOf(*key, name));
      ARROW_ASSIGN_OR_RAISE(texts[std::move(key_text)], TextOf(*item, name));
    }
    return texts;
  }

 private:
  static Result<std::string> TextOf(const arrow::Scalar& value, const std::string& name) {
    if (!value.is_valid) {
      return std::string();
    }
    const auto* text = dynamic_cast<const arrow::BaseBinaryScalar*>(&value);
    if (text == nullptr) {
      return Status::Invalid(
          fmt::format("{}: found {}, expected text", name, value.type->ToString()));
    }
    return std::string(text->view());
  }

  std::shared_ptr<arrow::StructArray> array_;
};

Status ReadAdd(const Actions& adds, int64_t row, int64_t version, DeltaLog* log) {
  DeltaAdd add;
  ARROW_ASSIGN_OR_RAISE(add.path, adds.Text("path", row));
  ARROW_ASSIGN_OR_RAISE(add.size_bytes, adds.Integer("size", row));
  ARROW_ASSIGN_OR_RAISE(add.stats, adds.Text("stats", row));
  ARROW_ASSIGN_OR_RAISE(add.partition_values, adds.Map("partitionValues", row));
  ARROW_ASSIGN_OR_RAISE(const auto vector, adds.Field("deletionVector", row));
  add.has_deletion_vector = vector != nullptr;
  return log->Add(std::move(add), version);
}

Status ReadMetadata(const Actions& actions, int64_t row, DeltaLog* log) {
  DeltaMetadata metadata;
  ARROW_ASSIGN_OR_RAISE(const auto format, actions.Field("format", row));
  if (const auto* fields = dynamic_cast<const arrow::StructScalar*>(format.get());
      fields != nullptr) {
    const auto provider = fields->field(arrow::FieldRef("provider"));
    const auto* text =
        provider.ok() ? dynamic_cast<const arrow::BaseBinaryScalar*>(provider->get()) : nullptr;
    metadata.provider = text == nullptr || !text->is_valid ? "" : std::string(text->view());
  }
  ARROW_ASSIGN_OR_RAISE(metadata.schema, actions.Text("schemaString", row));
  ARROW_ASSIGN_OR_RAISE(metadata.partition_columns, actions.Texts("partitionColumns", row));
  ARROW_ASSIGN_OR_RAISE(metadata.configuration, actions.Map("configuration", row));
  return log->SetMetadata(metadata);
}

Status ReadProtocol(const Actions& actions, int64_t row) {
  DeltaProtocol protocol;
  ARROW_ASSIGN_OR_RAISE(protocol.min_reader_version, actions.Integer("minReaderVersion", row));
  ARROW_ASSIGN_OR_RAISE(protocol.reader_features, actions.Texts("readerFeatures", row));
  return DeltaLog::CheckProtocol(protocol);
}

Status ReadBatch(const arrow::RecordBatch& batch, int64_t version, DeltaLog* log) {
  const Actions adds(batch.GetColumnByName("add"));
  const Actions metadata(batch.GetColumnByName("metaData"));
  const Actions protocols(batch.GetColumnByName("protocol"));
  const std::array<std::pair<std::string_view, Actions>, 2> refused = {
      {{"sidecar", Actions(batch.GetColumnByName("sidecar"))},
       {"checkpointMetadata", Actions(batch.GetColumnByName("checkpointMetadata"))}}};
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    for (const auto& [name, actions] : refused) {
      if (actions.Has(row)) {
        return Status::Invalid(
            fmt::format("found {}, expected a checkpoint in the form of version 1", name));
      }
    }
    if (protocols.Has(row)) {
      ARROW_RETURN_NOT_OK(ReadProtocol(protocols, row));
    }
    if (metadata.Has(row)) {
      ARROW_RETURN_NOT_OK(ReadMetadata(metadata, row, log));
    }
    if (adds.Has(row)) {
      ARROW_RETURN_NOT_OK(ReadAdd(adds, row, version, log));
    }
  }
  return Status::OK();
}

/// Returns the leaf columns that are read. Errors: Invalid naming an action that is not known.
Result<std::vector<int>> FindColumns(const parquet::SchemaDescriptor& schema) {
  std::vector<int> columns;
  for (int i = 0; i < schema.num_columns(); ++i) {
    const std::string path = schema.Column(i)->path()->ToDotString();
    const std::string action = path.substr(0, path.find('.'));
    bool is_read = false;
    for (const std::string_view part : kRead) {
      is_read = is_read || (part.ends_with('.') ? path.starts_with(part) : path == part);
    }
    const bool is_known =
        is_read || action == "add" ||
        std::find(std::begin(kIgnored), std::end(kIgnored), action) != std::end(kIgnored);
    if (!is_known) {
      return Status::Invalid(
          fmt::format("found action '{}', which is not known", PrintableText(action)));
    }
    if (is_read) {
      columns.push_back(i);
    }
  }
  return columns;
}

Status ReadAll(storage::Store* store, const std::string& path, int64_t version, DeltaLog* log) {
  ARROW_ASSIGN_OR_RAISE(const auto file, store->OpenFile(path));
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(file));
  parquet::ArrowReaderProperties properties;
  properties.set_batch_size(kBatchRows);
  properties.set_pre_buffer(false);
  ARROW_ASSIGN_OR_RAISE(const auto reader, builder.properties(properties)->Build());
  ARROW_ASSIGN_OR_RAISE(const std::vector<int> columns,
                        FindColumns(*reader->parquet_reader()->metadata()->schema()));
  std::vector<int> row_groups;
  for (int group = 0; group < reader->num_row_groups(); ++group) {
    row_groups.push_back(group);
  }
  ARROW_ASSIGN_OR_RAISE(const auto batches, reader->GetRecordBatchReader(row_groups, columns));
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(batches->ReadNext(&batch));
    if (batch == nullptr) {
      return Status::OK();
    }
    ARROW_RETURN_NOT_OK(ReadBatch(*batch, version, log));
  }
}

}  // namespace

Status ReadDeltaCheckpoint(storage::Store* store, const std::string& path, int64_t version,
                           DeltaLog* log) {
  const Status status = CatchParquet({}, [&] { return ReadAll(store, path, version, log); });
  return status.ok() ? status
                     : Status::Invalid(fmt::format("{}: {}", path.substr(path.rfind('/') + 1),
                                                   status.message()));
}

}  // namespace df::lake
