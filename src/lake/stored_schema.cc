#include "lake/stored_schema.h"

#include <array>
#include <string_view>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>

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

arrow::Result<std::shared_ptr<arrow::Schema>> ParseStoredSchema(const std::string& stored) {
  ARROW_ASSIGN_OR_RAISE(std::string bytes, DecodeBase64(stored));
  arrow::io::BufferReader reader(arrow::Buffer::FromString(std::move(bytes)));
  arrow::ipc::DictionaryMemo memo;
  return arrow::ipc::ReadSchema(&reader, &memo);
}

std::optional<int64_t> NanosOfDuration(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) {
    return NanosOfDuration(*static_cast<const arrow::DictionaryType&>(type).value_type());
  }
  if (type.id() != arrow::Type::DURATION) {
    return std::nullopt;
  }
  switch (static_cast<const arrow::DurationType&>(type).unit()) {
    case arrow::TimeUnit::SECOND:
      return 1'000'000'000;
    case arrow::TimeUnit::MILLI:
      return 1'000'000;
    case arrow::TimeUnit::MICRO:
      return 1'000;
    default:
      return 1;
  }
}

}  // namespace df::lake
