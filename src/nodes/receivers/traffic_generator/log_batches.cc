#include "nodes/receivers/traffic_generator/attribute_rows.h"
#include "nodes/receivers/traffic_generator/batches.h"
#include "nodes/receivers/traffic_generator/column.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

using otap::TableKind;
using otap::ValueType;

// Times inside a batch are a microsecond apart.
constexpr int64_t kStepNanos = 1000;

/// The bodies of log records: texts, and anything else where corner shapes are wanted.
class BodyColumn {
 public:
  explicit BodyColumn(const Pools* pools) : pools_(pools) {}

  void Append(Random* random) {
    if (!pools_->IsCorner(random)) {
      const bool has_body = pools_->traffic.log_body_size_bytes != 0;
      Add(has_body, has_body ? ValueType::kText : ValueType::kEmpty);
      texts_.AppendIf(has_body, static_cast<uint16_t>(random->Below(pools_->bodies.num_texts)));
      numbers_.AppendNull();
      return;
    }
    const TextPool& bodies = pools_->bodies;
    const bool is_text = random->OneIn(2);
    const bool is_number = !is_text && random->OneIn(2);
    Add(is_text || is_number || random->OneIn(2), is_text     ? ValueType::kText
                                                  : is_number ? ValueType::kInteger
                                                              : ValueType::kEmpty);
    texts_.AppendIf(is_text,
                    static_cast<uint16_t>(bodies.num_texts + random->Below(bodies.num_corners)));
    numbers_.AppendIf(is_number, static_cast<int64_t>(random->Next()));
  }

  /// Returns the column, or null when no record has a body.
  std::shared_ptr<arrow::Array> Finish() {
    if (presence_.is_all_null()) {
      return nullptr;
    }
    Table table;
    table.Add("type", types_.Finish(arrow::uint8()), false);
    if (!texts_.is_all_null()) {
      table.Add("str", texts_.FinishIndices(pools_->bodies.texts));
    }
    table.AddIfAny("int", &numbers_, arrow::int64());
    return table.FinishStruct(&presence_);
  }

 private:
  void Add(bool is_present, ValueType type) {
    presence_.Append(is_present);
    types_.Append(static_cast<uint8_t>(type));
  }

  const Pools* pools_;
  Presence presence_;
  Column<uint8_t> types_;
  Column<uint16_t> texts_;
  Column<int64_t> numbers_;
};

struct Severity {
  int32_t number;
  uint16_t text;
};

/// 80 % INFO, 15 % WARN, 5 % ERROR.
Severity DrawSeverity(Random* random) {
  const uint32_t percent = random->Below(100);
  if (percent < 80) {
    return {9, 2};
  }
  return percent < 95 ? Severity{13, 3} : Severity{17, 4};
}

}  // namespace

Result<otap::BatchPtr> MakeLogs(const Pools& pools, int64_t num_rows, int64_t unix_nanos,
                                Random* random) {
  Column<uint16_t> ids;
  Column<int64_t> times;
  Column<int64_t> observed_times;
  IdColumn trace_ids(16);
  IdColumn span_ids(8);
  Column<int32_t> severity_numbers;
  Column<uint16_t> severity_texts;
  BodyColumn bodies(&pools);
  AttributeRows<uint16_t> attributes(&pools);
  for (int64_t row = 0; row < num_rows; ++row) {
    const bool is_corner = pools.IsCorner(random);
    const bool has_attributes = pools.traffic.num_log_attributes > 0 && !is_corner;
    ids.AppendIf(has_attributes, static_cast<uint16_t>(row));
    if (has_attributes) {
      attributes.AppendAll(static_cast<uint16_t>(row), pools.traffic.num_log_attributes, random);
    }
    const int64_t time = unix_nanos + row * kStepNanos;
    times.Append(is_corner ? 0 : time);
    observed_times.Append(time);
    if (pools.traffic.use_trace_context && !is_corner) {
      trace_ids.Append(random->Next(), random->Next());
      span_ids.Append(0, random->Next());
    } else {
      trace_ids.AppendNull();
      span_ids.AppendNull();
    }
    const Severity severity = DrawSeverity(random);
    severity_numbers.AppendIf(!is_corner, severity.number);
    severity_texts.AppendIf(!is_corner, severity.text);
    bodies.Append(random);
  }
  const auto time_type = arrow::timestamp(arrow::TimeUnit::NANO);
  Table table;
  table.AddIfAny("id", &ids, arrow::uint16());
  table.Add("resource", pools.ResourceColumn(num_rows));
  table.Add("scope", pools.ScopeColumn(num_rows));
  table.Add("time_unix_nano", times.Finish(time_type));
  table.Add("observed_time_unix_nano", observed_times.Finish(time_type));
  table.AddIfAny("trace_id", &trace_ids);
  table.AddIfAny("span_id", &span_ids);
  table.AddIfAny("severity_number", &severity_numbers, arrow::int32());
  if (!severity_texts.is_all_null()) {
    table.Add("severity_text", severity_texts.FinishIndices(pools.severities.texts));
  }
  table.Add("body", bodies.Finish());
  otap::BatchBuilder batch(otap::Signal::kLogs);
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kLogs, table.Finish()));
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kLogAttrs, attributes.Finish()));
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kResourceAttrs, pools.resource_attributes));
  return batch.Build();
}

}  // namespace df::nodes::receivers::traffic_generator
