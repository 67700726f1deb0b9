// Attribute tables, and the value columns that they share with the body of log records.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "otap/schema.h"
#include "otlp/decode/column_builder.h"
#include "otlp/decode/text_builder.h"
#include "otlp/decode/value_reader.h"

namespace df::otlp {

/// The seven columns of a value. Rows ascend; rows that are never set are of type 0.
class ValueBuilder {
 public:
  /// Returns false when a text is not UTF-8.
  bool Set(int64_t row, const ParsedValue& value);

  /// Adds the columns; `type` always, the others when a row has that type.
  void AddColumns(TableFrame* frame);
  void Clear();

 private:
  arrow::Result<Validity> RowsOf(ValueType type, int64_t num_rows) const;

  NumberBuilder<uint8_t> types_;
  TextBuilder text_{TextBuilder::Kind::kText, otap::DictionaryRule::kWide};
  NumberBuilder<int64_t> integers_;
  NumberBuilder<double> reals_;
  BoolBuilder booleans_;
  TextBuilder bytes_{TextBuilder::Kind::kBinary, otap::DictionaryRule::kWide};
  TextBuilder cbor_{TextBuilder::Kind::kBinary, otap::DictionaryRule::kWide};
};

/// One attribute table.
class AttributeBuilder {
 public:
  explicit AttributeBuilder(otap::TableKind kind) : kind_(kind) {}

  /// Appends a KeyValue message. Returns false when it is malformed.
  bool Append(uint32_t parent, std::string_view key_value, ValueReader* reader);

  otap::TableKind kind() const { return kind_; }
  int64_t num_rows() const { return num_rows_; }

  /// Returns the table, or null without rows. Errors: OutOfMemory.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Finish();
  void Clear();

 private:
  arrow::Result<ArrayDataPtr> FinishParents();

  otap::TableKind kind_;
  int64_t num_rows_ = 0;
  NumberBuilder<uint32_t> parents_;
  TextBuilder keys_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  ValueBuilder values_;
};

}  // namespace df::otlp
