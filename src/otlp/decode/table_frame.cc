#include "otlp/decode/table_frame.h"

namespace df::otlp {

void TableFrame::Add(std::string_view name, arrow::Result<ArrayDataPtr> column) {
  if (!column.ok()) {
    status_ &= column.status();
    return;
  }
  if (*column != nullptr) {
    fields_.push_back(arrow::field(std::string(name), (*column)->type));
    columns_.push_back(*std::move(column));
  }
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> TableFrame::Build() {
  ARROW_RETURN_NOT_OK(status_);
  if (num_rows_ == 0) {
    return nullptr;
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields_)), num_rows_,
                                  std::move(columns_));
}

arrow::Result<ArrayDataPtr> TableFrame::BuildStruct(Validity validity) {
  ARROW_RETURN_NOT_OK(status_);
  if (columns_.empty()) {
    return nullptr;
  }
  ArrayDataPtr data = arrow::ArrayData::Make(arrow::struct_(std::move(fields_)), num_rows_,
                                             {std::move(validity.bitmap)}, validity.null_count);
  data->child_data = std::move(columns_);
  return data;
}

}  // namespace df::otlp
