#include "lake/stored_schema.h"

#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/base64.h>

namespace df::lake {

arrow::Result<std::shared_ptr<arrow::Schema>> ParseStoredSchema(const std::string& stored) {
  ARROW_ASSIGN_OR_RAISE(std::string bytes, arrow::util::base64_decode(stored));
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
