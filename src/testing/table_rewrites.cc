#include "testing/table_rewrites.h"

#include <utility>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <parquet/arrow/reader.h>

namespace df::testing {
namespace {

std::pair<std::string, std::string> SplitPath(const std::string& path) {
  const size_t dot = path.find('.');
  return dot == std::string::npos ? std::pair(path, std::string())
                                  : std::pair(path.substr(0, dot), path.substr(dot + 1));
}

/// Returns one value of a type.
arrow::Result<std::shared_ptr<arrow::Scalar>> SomeValue(
    const std::shared_ptr<arrow::DataType>& type) {
  switch (type->id()) {
    case arrow::Type::FIXED_SIZE_BINARY:
      return arrow::MakeScalar(
          type, arrow::Buffer::FromString(std::string(
                    static_cast<size_t>(
                        static_cast<const arrow::FixedSizeBinaryType&>(*type).byte_width()),
                    'x')));
    case arrow::Type::DECIMAL128:
      return std::make_shared<arrow::Decimal128Scalar>(arrow::Decimal128(7), type);
    case arrow::Type::LIST: {
      ARROW_ASSIGN_OR_RAISE(const auto item,
                            SomeValue(static_cast<const arrow::ListType&>(*type).value_type()));
      ARROW_ASSIGN_OR_RAISE(auto items, arrow::MakeArrayFromScalar(*item, 2));
      return std::make_shared<arrow::ListScalar>(std::move(items), type);
    }
    case arrow::Type::STRUCT: {
      arrow::ScalarVector values;
      for (const auto& field : type->fields()) {
        ARROW_ASSIGN_OR_RAISE(auto value, SomeValue(field->type()));
        values.push_back(std::move(value));
      }
      return std::make_shared<arrow::StructScalar>(std::move(values), type);
    }
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::BINARY:
      return arrow::MakeScalar(type, arrow::Buffer::FromString("INFO"));
    case arrow::Type::BOOL:
      return arrow::MakeScalar(true);
    default: {
      ARROW_ASSIGN_OR_RAISE(const auto number,
                            arrow::compute::Cast(arrow::Datum(arrow::MakeScalar(int32_t{7})),
                                                 type->id() == arrow::Type::TIME64 ||
                                                         type->id() == arrow::Type::TIMESTAMP ||
                                                         type->id() == arrow::Type::DURATION
                                                     ? arrow::int64()
                                                     : type));
      ARROW_ASSIGN_OR_RAISE(const auto value, arrow::compute::Cast(number, type));
      return value.scalar();
    }
  }
}

/// Puts some value of the type where the column has one.
arrow::Result<std::shared_ptr<arrow::Array>> Invent(const arrow::Array& column,
                                                    const std::shared_ptr<arrow::DataType>& type) {
  if (type->id() == arrow::Type::STRING_VIEW) {
    arrow::StringViewBuilder views;
    for (int64_t row = 0; row < column.length(); ++row) {
      ARROW_RETURN_NOT_OK(column.IsValid(row) ? views.Append("INFO") : views.AppendNull());
    }
    return views.Finish();
  }
  ARROW_ASSIGN_OR_RAISE(const auto value, SomeValue(type));
  ARROW_ASSIGN_OR_RAISE(const auto values, arrow::MakeArrayFromScalar(*value, 1));
  arrow::Int32Builder indices;
  for (int64_t row = 0; row < column.length(); ++row) {
    ARROW_RETURN_NOT_OK(column.IsValid(row) ? indices.Append(0) : indices.AppendNull());
  }
  ARROW_ASSIGN_OR_RAISE(const auto chosen, indices.Finish());
  return arrow::compute::Take(*values, *chosen);
}

std::string HexOf(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4U];
    text += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return text;
}

/// Ids as text are hex digits, whoever writes them.
arrow::Result<std::shared_ptr<arrow::Array>> AsHex(const arrow::Array& column) {
  const auto& ids = static_cast<const arrow::FixedSizeBinaryArray&>(column);
  arrow::StringBuilder texts;
  for (int64_t row = 0; row < ids.length(); ++row) {
    ARROW_RETURN_NOT_OK(ids.IsValid(row) ? texts.Append(HexOf(ids.GetView(row)))
                                         : texts.AppendNull());
  }
  return texts.Finish();
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadTable(const std::string& path) {
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.OpenFile(path));
  ARROW_ASSIGN_OR_RAISE(const auto reader, builder.Build());
  ARROW_ASSIGN_OR_RAISE(const auto table, reader->ReadTable());
  return table->CombineChunksToBatch();
}

std::vector<std::string> ColumnPaths(const arrow::Schema& schema) {
  std::vector<std::string> paths;
  for (const auto& field : schema.fields()) {
    if (field->type()->id() != arrow::Type::STRUCT) {
      paths.push_back(field->name());
      continue;
    }
    for (const auto& child : field->type()->fields()) {
      paths.push_back(field->name() + "." + child->name());
    }
  }
  return paths;
}

arrow::Result<std::shared_ptr<arrow::Array>> ColumnAt(const arrow::RecordBatch& table,
                                                      const std::string& path) {
  const auto [top, child] = SplitPath(path);
  auto column = table.GetColumnByName(top);
  if (column == nullptr) {
    return arrow::Status::KeyError(path);
  }
  if (child.empty()) {
    return column;
  }
  const auto& group = static_cast<const arrow::StructArray&>(*column);
  const int index = group.struct_type()->GetFieldIndex(child);
  if (index < 0) {
    return arrow::Status::KeyError(path);
  }
  return group.GetFlattenedField(index);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReplaceColumn(
    const arrow::RecordBatch& table, const std::string& path, const std::string& name,
    const std::shared_ptr<arrow::Array>& column) {
  const auto [top, child] = SplitPath(path);
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (int i = 0; i < table.num_columns(); ++i) {
    auto array = table.column(i);
    auto field = table.schema()->field(i);
    if (field->name() == top && child.empty()) {
      array = column;
      field = array == nullptr ? nullptr : arrow::field(name, array->type());
    } else if (field->name() == top) {
      const auto& group = static_cast<const arrow::StructArray&>(*array);
      arrow::FieldVector child_fields;
      arrow::ArrayVector child_columns;
      for (int j = 0; j < group.num_fields(); ++j) {
        const auto& old = group.struct_type()->field(j);
        const auto& kept = old->name() == child ? column : group.field(j);
        if (kept != nullptr) {
          child_fields.push_back(
              arrow::field(old->name() == child ? name : old->name(), kept->type()));
          child_columns.push_back(kept);
        }
      }
      array = nullptr;
      if (!child_columns.empty()) {
        ARROW_ASSIGN_OR_RAISE(
            array, arrow::StructArray::Make(child_columns, child_fields, group.null_bitmap()));
        field = arrow::field(top, array->type());
      }
    }
    if (array != nullptr) {
      fields.push_back(field);
      columns.push_back(array);
    }
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), table.num_rows(), columns);
}

std::vector<std::shared_ptr<arrow::DataType>> RewriteTypes() {
  using arrow::TimeUnit;
  return {arrow::int8(),
          arrow::int16(),
          arrow::int32(),
          arrow::int64(),
          arrow::uint8(),
          arrow::uint16(),
          arrow::uint32(),
          arrow::uint64(),
          arrow::float32(),
          arrow::float64(),
          arrow::boolean(),
          arrow::utf8(),
          arrow::large_utf8(),
          arrow::utf8_view(),
          arrow::binary(),
          arrow::fixed_size_binary(16),
          arrow::date32(),
          arrow::time64(TimeUnit::MICRO),
          arrow::timestamp(TimeUnit::NANO, "UTC"),
          arrow::timestamp(TimeUnit::MICRO),
          arrow::timestamp(TimeUnit::MILLI),
          arrow::duration(TimeUnit::MICRO),
          arrow::decimal128(20, 0),
          arrow::list(arrow::int64()),
          arrow::struct_({arrow::field("value", arrow::utf8())})};
}

arrow::Result<Retyped> Retype(const std::shared_ptr<arrow::Array>& column,
                              const std::shared_ptr<arrow::DataType>& type) {
  if (column->type_id() == arrow::Type::FIXED_SIZE_BINARY && type->id() == arrow::Type::STRING) {
    ARROW_ASSIGN_OR_RAISE(auto hex, AsHex(*column));
    return Retyped{std::move(hex), column};
  }
  // A timestamp or duration of another unit may lose digits, a float of 32 bits too; what is left
  // is what the file says.
  arrow::compute::CastOptions options = arrow::compute::CastOptions::Safe();
  options.allow_time_truncate = true;
  auto cast = arrow::compute::Cast(*column, type, options);
  Retyped retyped;
  if (cast.ok()) {
    retyped.column = std::move(*cast);
  } else {
    ARROW_ASSIGN_OR_RAISE(retyped.column, Invent(*column, type));
  }
  auto back = arrow::compute::Cast(*retyped.column, column->type(), options);
  if (!back.ok()) {  // times are made of signed integers only
    const auto whole = arrow::compute::Cast(*retyped.column, arrow::int64(), options);
    back = whole.ok() ? arrow::compute::Cast(**whole, column->type(), options) : whole;
  }
  retyped.meaning = back.ok() ? *back : nullptr;
  return retyped;
}

}  // namespace df::testing
