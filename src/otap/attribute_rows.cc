#include "otap/attribute_rows.h"

#include <array>
#include <unordered_map>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/error.h"

namespace df::otap {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using TablePtr = std::shared_ptr<arrow::RecordBatch>;

/// Every row has the first entry.
Result<ArrayPtr> FirstEntry(const std::shared_ptr<arrow::DataType>& key_type, int64_t length,
                            ArrayPtr entries) {
  ARROW_ASSIGN_OR_RAISE(const auto zero, arrow::MakeScalar(key_type, 0));
  ARROW_ASSIGN_OR_RAISE(ArrayPtr keys, arrow::MakeArrayFromScalar(*zero, length));
  const auto type = arrow::dictionary(key_type, entries->type());
  return std::make_shared<arrow::DictionaryArray>(type, std::move(keys), std::move(entries));
}

Result<ArrayPtr> Repeat(const arrow::Scalar& value, int64_t length) {
  return arrow::MakeArrayFromScalar(value, length);
}

struct ValueColumn {
  const char* name;
  ArrayPtr array;
};

Result<ValueColumn> MakeValueColumn(const AttributeValue& value, int64_t length) {
  ValueColumn column{};
  if (const auto* text = std::get_if<std::string>(&value)) {
    column.name = "str";
    ARROW_ASSIGN_OR_RAISE(ArrayPtr entry, Repeat(arrow::StringScalar(*text), 1));
    ARROW_ASSIGN_OR_RAISE(column.array, FirstEntry(arrow::uint16(), length, std::move(entry)));
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    column.name = "int";
    ARROW_ASSIGN_OR_RAISE(ArrayPtr entry, Repeat(arrow::Int64Scalar(*integer), 1));
    ARROW_ASSIGN_OR_RAISE(column.array, FirstEntry(arrow::uint16(), length, std::move(entry)));
  } else if (const auto* number = std::get_if<double>(&value)) {
    column.name = "double";
    ARROW_ASSIGN_OR_RAISE(column.array, Repeat(arrow::DoubleScalar(*number), length));
  } else {
    column.name = "bool";
    ARROW_ASSIGN_OR_RAISE(column.array,
                          Repeat(arrow::BooleanScalar(std::get<bool>(value)), length));
  }
  return column;
}

Result<TablePtr> MakeRows(TableKind kind, std::span<const uint32_t> parents, std::string_view key,
                          ValueType type, ValueColumn value) {
  const auto length = static_cast<int64_t>(parents.size());
  ARROW_ASSIGN_OR_RAISE(ArrayPtr parent_ids, MakeIds(parents, GetTable(kind).parent_id_bits));
  ARROW_ASSIGN_OR_RAISE(ArrayPtr entry, Repeat(arrow::StringScalar(std::string(key)), 1));
  ARROW_ASSIGN_OR_RAISE(ArrayPtr keys, FirstEntry(arrow::uint8(), length, std::move(entry)));
  ARROW_ASSIGN_OR_RAISE(ArrayPtr types,
                        Repeat(arrow::UInt8Scalar(static_cast<uint8_t>(type)), length));
  auto schema = arrow::schema({arrow::field("parent_id", parent_ids->type(), false),
                               arrow::field("key", keys->type(), false),
                               arrow::field("type", types->type(), false),
                               arrow::field(value.name, value.array->type())});
  return arrow::RecordBatch::Make(
      std::move(schema), length,
      {std::move(parent_ids), std::move(keys), std::move(types), std::move(value.array)});
}

template <typename Builder>
Result<ArrayPtr> BuildIds(std::span<const uint32_t> ids) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(ids.size())));
  for (const uint32_t id : ids) {
    builder.UnsafeAppend(static_cast<typename Builder::value_type>(id));
  }
  return builder.Finish();
}

}  // namespace

arrow::Result<TablePtr> MakeAttributeRows(TableKind kind, std::span<const uint32_t> parents,
                                          std::string_view key, const AttributeValue& value) {
  ARROW_ASSIGN_OR_RAISE(ValueColumn column,
                        MakeValueColumn(value, static_cast<int64_t>(parents.size())));
  return MakeRows(kind, parents, key, TypeOf(value), std::move(column));
}

arrow::Result<TablePtr> MakeTextRows(TableKind kind, std::span<const uint32_t> parents,
                                     std::string_view key, std::span<const std::string> texts) {
  std::unordered_map<std::string_view, uint16_t> known;
  arrow::StringBuilder entries;
  arrow::UInt16Builder keys;
  for (const std::string& text : texts) {
    if (known.size() == static_cast<size_t>(kMaxDictionary16) && !known.contains(text)) {
      arrow::StringBuilder plain;
      for (const std::string& each : texts) {
        ARROW_RETURN_NOT_OK(plain.Append(each));
      }
      ARROW_ASSIGN_OR_RAISE(ArrayPtr array, plain.Finish());
      return MakeRows(kind, parents, key, ValueType::kText, {"str", std::move(array)});
    }
    const auto [place, is_new] = known.try_emplace(text, static_cast<uint16_t>(known.size()));
    if (is_new) {
      ARROW_RETURN_NOT_OK(entries.Append(text));
    }
    ARROW_RETURN_NOT_OK(keys.Append(place->second));
  }
  ARROW_ASSIGN_OR_RAISE(ArrayPtr entry_array, entries.Finish());
  ARROW_ASSIGN_OR_RAISE(ArrayPtr key_array, keys.Finish());
  ArrayPtr coded =
      std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::uint16(), arrow::utf8()),
                                               std::move(key_array), std::move(entry_array));
  return MakeRows(kind, parents, key, ValueType::kText, {"str", std::move(coded)});
}

std::vector<uint32_t> ParentsOf(const arrow::RecordBatch& attributes, const RowSet& rows) {
  std::vector<uint32_t> parents;
  VisitIds(*attributes.GetColumnByName("parent_id"), [&](int64_t row, uint32_t id) {
    if (rows.Has(row)) {
      parents.push_back(id);
    }
  });
  return parents;
}

arrow::Result<std::string> HashText(std::string_view salt, std::string_view bytes) {
  std::string input;
  input.reserve(salt.size() + bytes.size());
  input.append(salt).append(bytes);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return Status::UnknownError("the OpenSSL of this system has no SHA-256");
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    fmt::format_to(std::back_inserter(text), "{:02x}", digest[i]);
  }
  return text;
}

std::string HashedBytes(const ValueColumns& values, int64_t row) {
  switch (values.TypeAt(row)) {
    case ValueType::kEmpty:
      break;
    case ValueType::kText:
      return std::string(values.text().At(row));
    case ValueType::kInteger:
      return fmt::format("{}", values.IntegerAt(row));
    case ValueType::kDouble:
      return fmt::format("{}", values.DoubleAt(row));
    case ValueType::kBool: {
      const std::optional<bool> value = values.BoolAt(row);
      return value.has_value() ? fmt::format("{}", *value) : "";
    }
    case ValueType::kMap:
    case ValueType::kSlice:
      return std::string(values.serialised().At(row));
    case ValueType::kBytes:
      return std::string(values.bytes().At(row));
  }
  return "";
}

arrow::Result<ArrayPtr> MakeIds(std::span<const uint32_t> ids, int bits) {
  return bits == 16 ? BuildIds<arrow::UInt16Builder>(ids) : BuildIds<arrow::UInt32Builder>(ids);
}

}  // namespace df::otap
