#include "nodes/receivers/internal_telemetry/log_batch.h"

#include "nodes/receivers/internal_telemetry/table_columns.h"

namespace df::nodes::receivers::internal_telemetry {
namespace {

using otap::TableKind;

// The first number of each range of OpenTelemetry's severities.
int32_t SeverityNumber(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return 5;
    case LogLevel::kInfo:
      return 9;
    case LogLevel::kWarning:
      return 13;
    case LogLevel::kError:
      return 17;
  }
  return 0;
}

std::string_view SeverityText(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  return "";
}

/// Builds the body: always a text.
Result<std::shared_ptr<arrow::Array>> MakeBody(std::span<const LogRecord> records) {
  constexpr uint8_t kText = 1;
  arrow::UInt8Builder type;
  arrow::StringBuilder text;
  for (const LogRecord& record : records) {
    ARROW_RETURN_NOT_OK(type.Append(kText));
    ARROW_RETURN_NOT_OK(text.Append(record.message));
  }
  ARROW_ASSIGN_OR_RAISE(auto types, type.Finish());
  ARROW_ASSIGN_OR_RAISE(auto texts, text.Finish());
  return arrow::StructArray::Make(arrow::ArrayVector{types, texts},
                                  arrow::FieldVector{arrow::field("type", arrow::uint8(), false),
                                                     arrow::field("str", arrow::utf8())});
}

class LogColumns {
 public:
  explicit LogColumns(bool has_resource) : has_resource_(has_resource) {}

  Status Append(const LogRecord& record) {
    if (record.fields.empty()) {
      ARROW_RETURN_NOT_OK(id_->AppendNull());
    } else {
      ARROW_RETURN_NOT_OK(id_->Append(next_id_));
      for (const LogField& field : record.fields) {
        ARROW_RETURN_NOT_OK(std::visit(
            [&](const auto& value) { return AppendField(field.key, value); }, field.value));
      }
      ++next_id_;
    }
    ARROW_RETURN_NOT_OK(has_resource_ ? resource_.id->Append(0) : resource_.id->AppendNull());
    ARROW_RETURN_NOT_OK(scope_.id->AppendNull());
    ARROW_RETURN_NOT_OK(scope_.name->Append("df.log"));
    ARROW_RETURN_NOT_OK(time_->Append(record.unix_nanos));
    ARROW_RETURN_NOT_OK(observed_->Append(record.unix_nanos));
    ARROW_RETURN_NOT_OK(severity_number_->Append(SeverityNumber(record.level)));
    return severity_text_->Append(SeverityText(record.level));
  }

  /// The root table, but for the columns of `body` and `event_name`.
  Result<std::shared_ptr<arrow::RecordBatch>> FinishRoot() { return root_.Finish(); }
  Result<std::shared_ptr<arrow::RecordBatch>> FinishAttributes() { return attributes_.Finish(); }

 private:
  Status AppendField(const std::string& key, const std::string& value) {
    return attributes_.Append(next_id_, key, std::string_view(value));
  }
  template <typename T>
  Status AppendField(const std::string& key, T value) {
    return attributes_.Append(next_id_, key, value);
  }

  bool has_resource_;
  uint16_t next_id_ = 0;
  AttributeColumns<arrow::UInt16Builder> attributes_{TableKind::kLogAttrs};
  TableColumns root_{TableKind::kLogs};
  arrow::UInt16Builder* id_ = root_.Add<arrow::UInt16Builder>("id");
  TableColumns::Group resource_ = root_.AddGroup("resource");
  TableColumns::Group scope_ = root_.AddGroup("scope");
  arrow::TimestampBuilder* time_ = root_.Add<arrow::TimestampBuilder>("time_unix_nano");
  arrow::TimestampBuilder* observed_ =
      root_.Add<arrow::TimestampBuilder>("observed_time_unix_nano");
  arrow::Int32Builder* severity_number_ = root_.Add<arrow::Int32Builder>("severity_number");
  arrow::StringBuilder* severity_text_ = root_.Add<arrow::StringBuilder>("severity_text");
};

}  // namespace

Result<otap::BatchPtr> MakeLogBatch(std::span<const LogRecord> records, const Resource& resource) {
  LogColumns columns(!resource.empty());
  AttributeColumns<arrow::UInt16Builder> resource_attributes(TableKind::kResourceAttrs);
  for (const auto& [key, value] : resource) {
    ARROW_RETURN_NOT_OK(resource_attributes.Append(uint16_t{0}, key, std::string_view(value)));
  }
  arrow::StringBuilder event_name;
  for (const LogRecord& record : records) {
    ARROW_RETURN_NOT_OK(columns.Append(record));
    ARROW_RETURN_NOT_OK(event_name.Append(record.event));
  }
  ARROW_ASSIGN_OR_RAISE(auto root, columns.FinishRoot());
  ARROW_ASSIGN_OR_RAISE(const auto body, MakeBody(records));
  ARROW_ASSIGN_OR_RAISE(const auto events, event_name.Finish());
  ARROW_ASSIGN_OR_RAISE(root, root->AddColumn(root->num_columns(), "body", body));
  ARROW_ASSIGN_OR_RAISE(root, root->AddColumn(root->num_columns(), "event_name", events));
  otap::BatchBuilder batch(otap::Signal::kLogs);
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kLogs, root));
  ARROW_ASSIGN_OR_RAISE(auto attributes, columns.FinishAttributes());
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kLogAttrs, std::move(attributes)));
  ARROW_ASSIGN_OR_RAISE(auto resource_table, resource_attributes.Finish());
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kResourceAttrs, std::move(resource_table)));
  return batch.Build();
}

}  // namespace df::nodes::receivers::internal_telemetry
