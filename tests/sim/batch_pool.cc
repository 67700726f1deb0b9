#include "sim/batch_pool.h"

#include <string_view>

#include <arrow/array/array_primitive.h>
#include <arrow/array/builder_time.h>
#include <arrow/util/logging.h>

#include "testing/random_batch.h"

namespace df::sim {
namespace {

bool HasItems(const otap::TableInfo& info, otap::Signal signal) {
  if (signal != otap::Signal::kMetrics) {
    return info.kind == otap::RootTable(signal);
  }
  return info.parent == otap::TableKind::kUnivariateMetrics && !info.is_attributes;
}

std::string_view TimeColumn(otap::Signal signal) {
  return signal == otap::Signal::kTraces ? "start_time_unix_nano" : "time_unix_nano";
}

std::shared_ptr<arrow::Array> Count(const std::shared_ptr<arrow::DataType>& type, int64_t first,
                                    int64_t count) {
  arrow::TimestampBuilder builder(type, arrow::default_memory_pool());
  for (int64_t i = 0; i < count; ++i) {
    ARROW_CHECK_OK(builder.Append(first + i));
  }
  return builder.Finish().ValueOrDie();
}

/// Counts from `first` in a column of times; it is added where the table does without.
std::shared_ptr<arrow::RecordBatch> WithTimes(const arrow::RecordBatch& table,
                                              const otap::TableInfo& info, std::string_view column,
                                              int64_t first) {
  static const auto type = arrow::timestamp(arrow::TimeUnit::NANO);
  const std::string name(column);
  const auto field = arrow::field(name, type);
  const auto times = Count(type, first, table.num_rows());
  const int present = table.schema()->GetFieldIndex(name);
  if (present >= 0) {
    return table.SetColumn(present, field, times).ValueOrDie();
  }
  int position = 0;
  for (const otap::Column& before : info.columns) {
    if (before.name == column) {
      break;
    }
    position += table.schema()->GetFieldIndex(std::string(before.name)) >= 0 ? 1 : 0;
  }
  return table.AddColumn(position, field, times).ValueOrDie();
}

std::vector<otap::BatchPtr> MakePool() {
  testing::RandomEngine rng(20260101);
  testing::RandomBatchOptions options;
  options.max_resources = 2;
  options.max_scopes_per_resource = 2;
  options.max_attributes = 2;
  options.max_children = 2;
  options.without_children = 0;
  std::vector<otap::BatchPtr> pool;
  while (pool.size() < 48) {
    options.root_rows = static_cast<int>(1 + rng() % 5);
    // Most with few columns: a simulation numbers many batches, and each column costs.
    const bool is_small = rng() % 3 != 0;
    options.missing_column = is_small ? 1 : 0.15;
    options.without_attributes = is_small ? 1 : 0.3;
    otap::BatchPtr batch = testing::RandomBatches(1, std::nullopt, options, rng).front();
    if (batch->num_items() > 0) {
      pool.push_back(std::move(batch));
    }
  }
  return pool;
}

}  // namespace

otap::BatchPtr PooledBatch(uint64_t choice) {
  static const std::vector<otap::BatchPtr> pool = MakePool();
  return pool[choice % pool.size()];
}

otap::BatchPtr NumberItems(const otap::Batch& batch, int64_t first_item) {
  otap::BatchBuilder builder(batch.signal(), batch.id_encoding());
  for (const otap::TableInfo& info : otap::AllTables()) {
    std::shared_ptr<arrow::RecordBatch> table = batch.table(info.kind);
    if (table == nullptr) {
      continue;
    }
    if (HasItems(info, batch.signal())) {
      table = WithTimes(*table, info, TimeColumn(batch.signal()), first_item);
      first_item += table->num_rows();
    }
    ARROW_CHECK_OK(builder.Set(info.kind, std::move(table)));
  }
  return builder.Build();
}

void ReadItems(const otap::Batch& batch, std::vector<int64_t>* items) {
  for (const otap::TableInfo& info : otap::AllTables()) {
    const std::shared_ptr<arrow::RecordBatch>& table = batch.table(info.kind);
    if (table == nullptr || !HasItems(info, batch.signal())) {
      continue;
    }
    const auto column = std::static_pointer_cast<arrow::TimestampArray>(
        table->GetColumnByName(std::string(TimeColumn(batch.signal()))));
    for (int64_t row = 0; row < column->length(); ++row) {
      items->push_back(column->Value(row));
    }
  }
}

}  // namespace df::sim
