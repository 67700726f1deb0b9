#include "otap/batch.h"

#include <arrow/array.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

namespace df::otap {

BatchBuilder::BatchBuilder(Signal signal, IdEncoding id_encoding) : batch_(new Batch) {
  batch_->signal_ = signal;
  batch_->id_encoding_ = id_encoding;
}

arrow::Status BatchBuilder::Set(TableKind kind, std::shared_ptr<arrow::RecordBatch> table) {
  const TableInfo& info = GetTable(kind);
  if (!info.has_signal(batch_->signal_)) {
    return arrow::Status::Invalid(fmt::format("table {} does not belong to a batch of {}",
                                              info.directory, Name(batch_->signal_)));
  }
  if (table != nullptr && table->num_rows() == 0) {
    table = nullptr;
  }
  batch_->tables_[TableIndex(kind)] = std::move(table);
  return arrow::Status::OK();
}

BatchPtr BatchBuilder::Build() {
  const Signal signal = batch_->signal_;
  for (const TableInfo& info : AllTables()) {
    const auto& table = batch_->tables_[TableIndex(info.kind)];
    if (table == nullptr) {
      continue;
    }
    const bool is_points = info.parent == TableKind::kUnivariateMetrics && !info.is_attributes;
    if (signal == Signal::kMetrics ? is_points : info.kind == RootTable(signal)) {
      batch_->num_items_ += table->num_rows();
    }
    for (const auto& column : table->columns()) {
      batch_->size_bytes_ += arrow::util::ReferencedBufferSize(*column).ValueOr(0);
    }
  }
  auto built = std::move(batch_);
  batch_ = nullptr;
  return built;
}

BatchPtr MakeEncodedBatch(Signal signal, EncodedRequest request, int64_t num_items) {
  const std::shared_ptr<Batch> batch(new Batch);
  batch->signal_ = signal;
  batch->num_items_ = num_items;
  batch->size_bytes_ = request.bytes->size();
  batch->encoded_ = std::move(request);
  return batch;
}

arrow::Result<BatchPtr> WithTables(const BatchPtr& batch) {
  const EncodedRequest* request = batch->encoded();
  return request == nullptr ? batch : request->decode(batch->signal(), *request->bytes);
}

}  // namespace df::otap
