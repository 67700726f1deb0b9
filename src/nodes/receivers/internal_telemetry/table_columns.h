// Columns of one table on their way into a batch.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/api.h>

#include "otap/batch.h"

namespace df::nodes::receivers::internal_telemetry {

/// Builds a table of the model with some of its columns, in native types.
class TableColumns {
 public:
  explicit TableColumns(otap::TableKind kind) : kind_(kind) {}

  /// Adds a column of the model; call in the order of the model. `Builder` fits its native type.
  /// Owner: the table; the pointer is good until the table is destroyed.
  template <typename Builder>
  Builder* Add(std::string_view name) {
    return static_cast<Builder*>(AddBuilder(name));
  }

  /// Adds the `resource` or `scope` of a root table: the builders of its id and, for the scope, of
  /// its name.
  struct Group {
    arrow::UInt16Builder* id;
    arrow::StringBuilder* name;  ///< null for a resource
  };
  Group AddGroup(std::string_view name);

  /// Returns the table; the columns are empty afterwards and may be filled again.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Finish();

 private:
  struct Entry {
    const otap::Column* column;
    std::unique_ptr<arrow::ArrayBuilder> builder;  // null for groups
    std::vector<Entry> children;
  };

  arrow::ArrayBuilder* AddBuilder(std::string_view name);
  static Entry MakeEntry(std::span<const otap::Column> columns, std::string_view name);
  static arrow::Result<std::shared_ptr<arrow::Array>> FinishEntry(Entry* entry);

  otap::TableKind kind_;
  std::vector<Entry> entries_;
};

/// The columns of a table of attributes that are texts, numbers and truths. `ParentBuilder` has the
/// width of the parent ids.
template <typename ParentBuilder>
class AttributeColumns {
 public:
  explicit AttributeColumns(otap::TableKind kind)
      : table_(kind),
        parent_id_(table_.Add<ParentBuilder>("parent_id")),
        key_(table_.Add<arrow::StringBuilder>("key")),
        type_(table_.Add<arrow::UInt8Builder>("type")),
        text_(table_.Add<arrow::StringBuilder>("str")),
        integer_(table_.Add<arrow::Int64Builder>("int")),
        number_(table_.Add<arrow::DoubleBuilder>("double")),
        truth_(table_.Add<arrow::BooleanBuilder>("bool")) {}

  template <typename Id>
  arrow::Status Append(Id parent_id, std::string_view key, std::string_view value) {
    ARROW_RETURN_NOT_OK(AppendKey(parent_id, key, kText));
    return AppendValues(&value, nullptr, nullptr, nullptr);
  }
  template <typename Id>
  arrow::Status Append(Id parent_id, std::string_view key, int64_t value) {
    ARROW_RETURN_NOT_OK(AppendKey(parent_id, key, kInteger));
    return AppendValues(nullptr, &value, nullptr, nullptr);
  }
  template <typename Id>
  arrow::Status Append(Id parent_id, std::string_view key, double value) {
    ARROW_RETURN_NOT_OK(AppendKey(parent_id, key, kNumber));
    return AppendValues(nullptr, nullptr, &value, nullptr);
  }
  template <typename Id>
  arrow::Status Append(Id parent_id, std::string_view key, bool value) {
    ARROW_RETURN_NOT_OK(AppendKey(parent_id, key, kTruth));
    return AppendValues(nullptr, nullptr, nullptr, &value);
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Finish() { return table_.Finish(); }

 private:
  // Values of `type` (format reference 2.2).
  static constexpr uint8_t kText = 1;
  static constexpr uint8_t kInteger = 2;
  static constexpr uint8_t kNumber = 3;
  static constexpr uint8_t kTruth = 4;

  template <typename Id>
  arrow::Status AppendKey(Id parent_id, std::string_view key, uint8_t type) {
    ARROW_RETURN_NOT_OK(parent_id_->Append(parent_id));
    ARROW_RETURN_NOT_OK(key_->Append(key));
    return type_->Append(type);
  }
  arrow::Status AppendValues(const std::string_view* text, const int64_t* integer,
                             const double* number, const bool* truth) {
    ARROW_RETURN_NOT_OK(text == nullptr ? text_->AppendNull() : text_->Append(*text));
    ARROW_RETURN_NOT_OK(integer == nullptr ? integer_->AppendNull() : integer_->Append(*integer));
    ARROW_RETURN_NOT_OK(number == nullptr ? number_->AppendNull() : number_->Append(*number));
    return truth == nullptr ? truth_->AppendNull() : truth_->Append(*truth);
  }

  TableColumns table_;
  ParentBuilder* parent_id_;
  arrow::StringBuilder* key_;
  arrow::UInt8Builder* type_;
  arrow::StringBuilder* text_;
  arrow::Int64Builder* integer_;
  arrow::DoubleBuilder* number_;
  arrow::BooleanBuilder* truth_;
};

}  // namespace df::nodes::receivers::internal_telemetry
