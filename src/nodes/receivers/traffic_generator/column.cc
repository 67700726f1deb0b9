#include "nodes/receivers/traffic_generator/column.h"

#include <arrow/util/logging.h>

namespace df::nodes::receivers::traffic_generator {

std::shared_ptr<arrow::Buffer> Presence::Pack(const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> bits(
      static_cast<size_t>(arrow::bit_util::BytesForBits(static_cast<int64_t>(bytes.size()))));
  for (size_t row = 0; row < bytes.size(); ++row) {
    bits[row / 8] = static_cast<uint8_t>(bits[row / 8] | bytes[row] << (row % 8));
  }
  return arrow::Buffer::FromVector(std::move(bits));
}

std::shared_ptr<arrow::Buffer> Presence::Finish() const {
  return num_nulls_ == 0 ? nullptr : Pack(bits_);
}

std::shared_ptr<arrow::Array> BoolColumn::Finish() const {
  return arrow::MakeArray(arrow::ArrayData::Make(arrow::boolean(), presence_.num_rows(),
                                                 {presence_.Finish(), Presence::Pack(values_)},
                                                 presence_.num_nulls()));
}

void IdColumn::Append(uint64_t high, uint64_t low) {
  const size_t at = bytes_.size();
  bytes_.resize(at + static_cast<size_t>(width_));
  std::memcpy(&bytes_[at], &low, sizeof(low));
  if (width_ == 16) {
    std::memcpy(&bytes_[at + 8], &high, sizeof(high));
  }
  presence_.Append(true);
}

std::shared_ptr<arrow::Array> IdColumn::Finish() {
  return arrow::MakeArray(arrow::ArrayData::Make(
      arrow::fixed_size_binary(width_), presence_.num_rows(),
      {presence_.Finish(), arrow::Buffer::FromVector(std::move(bytes_))}, presence_.num_nulls()));
}

std::shared_ptr<arrow::Array> MakeTexts(const std::vector<std::string>& texts) {
  arrow::StringBuilder builder;
  ARROW_CHECK_OK(builder.AppendValues(texts));
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> MakeLists(std::vector<int32_t> offsets,
                                        const std::shared_ptr<arrow::Array>& values) {
  const auto num_rows = static_cast<int64_t>(offsets.size()) - 1;
  return std::make_shared<arrow::ListArray>(arrow::list(values->type()), num_rows,
                                            arrow::Buffer::FromVector(std::move(offsets)), values);
}

void Table::Add(std::string name, std::shared_ptr<arrow::Array> column, bool is_nullable) {
  if (column != nullptr) {
    fields_.push_back(arrow::field(std::move(name), column->type(), is_nullable));
    columns_.push_back(std::move(column));
  }
}

std::shared_ptr<arrow::RecordBatch> Table::Finish() {
  const int64_t rows = num_rows();
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields_)), rows, std::move(columns_));
}

std::shared_ptr<arrow::Array> Table::FinishStruct(const Presence* presence) {
  const int64_t rows = num_rows();
  std::shared_ptr<arrow::Buffer> validity = presence == nullptr ? nullptr : presence->Finish();
  const int64_t num_nulls = presence == nullptr ? 0 : presence->num_nulls();
  return std::make_shared<arrow::StructArray>(arrow::struct_(std::move(fields_)), rows,
                                              std::move(columns_), std::move(validity), num_nulls);
}

}  // namespace df::nodes::receivers::traffic_generator
