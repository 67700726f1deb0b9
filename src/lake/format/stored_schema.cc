#include "lake/format/stored_schema.h"

#include <array>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <arrow/result.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <parquet/metadata.h>

namespace df::lake {
namespace {

constexpr uint8_t kNoDigit = 64;

constexpr std::array<uint8_t, 256> kDigits = [] {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}();

constexpr const char* kSparkKey = "org.apache.spark.sql.parquet.row.metadata";
/// Spark's types of intervals begin with it: "interval day to second", "interval year to month".
constexpr std::string_view kSparkInterval = "interval";

arrow::Result<std::shared_ptr<arrow::Schema>> ParseArrow(const std::string& stored) {
  ARROW_ASSIGN_OR_RAISE(std::string bytes, DecodeBase64(stored));
  arrow::io::BufferReader reader(arrow::Buffer::FromString(std::move(bytes)));
  arrow::ipc::DictionaryMemo memo;
  return arrow::ipc::ReadSchema(&reader, &memo);
}

std::optional<StoredDuration> AsDuration(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) {
    return AsDuration(*static_cast<const arrow::DictionaryType&>(type).value_type());
  }
  if (type.id() != arrow::Type::DURATION) {
    return std::nullopt;
  }
  int64_t nanos = 1;
  switch (static_cast<const arrow::DurationType&>(type).unit()) {
    case arrow::TimeUnit::SECOND:
      nanos = 1'000'000'000;
      break;
    case arrow::TimeUnit::MILLI:
      nanos = 1'000'000;
      break;
    case arrow::TimeUnit::MICRO:
      nanos = 1'000;
      break;
    default:
      break;
  }
  return StoredDuration{type.ToString(), nanos};
}

}  // namespace

arrow::Result<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return arrow::Status::Invalid("found ", text.size(),
                                  " characters of base64, expected a multiple of 4");
  }
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
    ++padding;
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  char* out = bytes.data();
  uint8_t seen = 0;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t group = 0;
    for (size_t j = i; j < i + 4; ++j) {
      const uint8_t digit =
          j >= text.size() - padding ? uint8_t{0} : kDigits[static_cast<uint8_t>(text[j])];
      seen |= digit;
      group = group << 6 | (digit & 63);
    }
    *out++ = static_cast<char>(group >> 16);
    *out++ = static_cast<char>(group >> 8);
    *out++ = static_cast<char>(group);
  }
  if ((seen & kNoDigit) != 0) {
    return arrow::Status::Invalid("found a character that is no digit of base64");
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

StoredSchema::StoredSchema(const Footer& footer) {
  if (!footer.stored_arrow_schema.empty()) {
    auto parsed = ParseArrow(footer.stored_arrow_schema);
    if (parsed.ok()) {
      arrow_ = std::move(*parsed);
    } else {
      problem_ = fmt::format("the stored Arrow schema is damaged and not used ({})",
                             parsed.status().message());
    }
  }
  if (const auto& keys = footer.metadata->key_value_metadata(); keys != nullptr) {
    if (const auto json = keys->Get(kSparkKey); json.ok()) {
      ReadSpark(*json);
    }
  }
}

void StoredSchema::ReadSpark(const std::string& json) {
  const auto schema = nlohmann::json::parse(json, nullptr, false);
  const auto fields = schema.is_object() ? schema.find("fields") : schema.end();
  if (fields == schema.end() || !fields->is_array()) {
    problem_ = "the stored Spark schema is damaged and not used";
    return;
  }
  for (const auto& field : *fields) {
    const auto name = field.is_object() ? field.find("name") : field.end();
    const auto type = field.is_object() ? field.find("type") : field.end();
    if (name != field.end() && name->is_string() && type != field.end() && type->is_string() &&
        type->get_ref<const std::string&>().starts_with(kSparkInterval)) {
      spark_intervals_.emplace(name->get<std::string>(), type->get<std::string>());
    }
  }
}

std::optional<StoredDuration> StoredSchema::DurationOf(std::string_view top,
                                                       std::string_view child) const {
  if (const auto found = spark_intervals_.find(top);
      child.empty() && found != spark_intervals_.end()) {
    const bool has_months = found->second.find("year") != std::string::npos ||
                            found->second.find("month") != std::string::npos ||
                            found->second == kSparkInterval;
    return StoredDuration{found->second, has_months ? 0 : 1'000};  // stored as microseconds
  }
  auto field = arrow_ == nullptr ? nullptr : arrow_->GetFieldByName(std::string(top));
  if (field != nullptr && !child.empty()) {
    field = field->type()->id() != arrow::Type::STRUCT
                ? nullptr
                : static_cast<const arrow::StructType&>(*field->type())
                      .GetFieldByName(std::string(child));
  }
  return field == nullptr ? std::nullopt : AsDuration(*field->type());
}

}  // namespace df::lake
