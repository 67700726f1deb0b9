#include "nodes/receivers/traffic_generator/attribute_rows.h"
#include "nodes/receivers/traffic_generator/batches.h"
#include "nodes/receivers/traffic_generator/column.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

using otap::TableKind;

constexpr int64_t kStepNanos = 1000;
constexpr uint32_t kMaxSpansOfTrace = 8;
constexpr uint32_t kLongestNanos = 500'000'000;
// Values of `kind` and of `status.code` (format reference 2.5).
constexpr uint32_t kNumKinds = 5;
constexpr int32_t kStatusOk = 1;
constexpr int32_t kStatusError = 2;

std::shared_ptr<arrow::DataType> TimeType() { return arrow::timestamp(arrow::TimeUnit::NANO); }

/// Events of spans, and their attributes: one each.
class Events {
 public:
  explicit Events(const Pools* pools) : pools_(pools), attributes_(pools) {}

  void Append(uint16_t span, int64_t unix_nanos, Random* random) {
    const auto id = static_cast<uint32_t>(ids_.num_rows());
    const bool is_corner = pools_->IsCorner(random);
    ids_.Append(id);
    parents_.Append(span);
    times_.AppendIf(!is_corner, unix_nanos);
    names_.Append(static_cast<uint16_t>(random->Below(pools_->event_names.num_texts)));
    attributes_.AppendAll(id, is_corner ? 0 : 1, random);
  }

  Status Finish(otap::BatchBuilder* batch) {
    if (ids_.num_rows() == 0) {
      return Status::OK();
    }
    Table table;
    table.Add("id", ids_.Finish(arrow::uint32()));
    table.Add("parent_id", parents_.Finish(arrow::uint16()), false);
    table.AddIfAny("time_unix_nano", &times_, TimeType());
    table.Add("name", names_.FinishIndices(pools_->event_names.texts), false);
    ARROW_RETURN_NOT_OK(batch->Set(TableKind::kSpanEvents, table.Finish()));
    return batch->Set(TableKind::kSpanEventAttrs, attributes_.Finish());
  }

 private:
  const Pools* pools_;
  Column<uint32_t> ids_;
  Column<uint16_t> parents_;
  Column<int64_t> times_;
  Column<uint16_t> names_;
  AttributeRows<uint32_t> attributes_;
};

/// Links of spans, and their attributes: one each.
class Links {
 public:
  explicit Links(const Pools* pools) : attributes_(pools) {}

  void Append(uint16_t span, Random* random) {
    const auto id = static_cast<uint32_t>(ids_.num_rows());
    ids_.Append(id);
    parents_.Append(span);
    trace_ids_.Append(random->Next(), random->Next());
    span_ids_.Append(0, random->Next());
    attributes_.AppendAll(id, 1, random);
  }

  Status Finish(otap::BatchBuilder* batch) {
    if (ids_.num_rows() == 0) {
      return Status::OK();
    }
    Table table;
    table.Add("id", ids_.Finish(arrow::uint32()));
    table.Add("parent_id", parents_.Finish(arrow::uint16()), false);
    table.Add("trace_id", trace_ids_.Finish(), false);
    table.Add("span_id", span_ids_.Finish(), false);
    ARROW_RETURN_NOT_OK(batch->Set(TableKind::kSpanLinks, table.Finish()));
    return batch->Set(TableKind::kSpanLinkAttrs, attributes_.Finish());
  }

 private:
  Column<uint32_t> ids_;
  Column<uint16_t> parents_;
  IdColumn trace_ids_{16};
  IdColumn span_ids_{8};
  AttributeRows<uint32_t> attributes_;
};

/// The status of spans: most have none, some are fine, and some say what went wrong.
class StatusColumn {
 public:
  void Append(Random* random) {
    const uint32_t percent = random->Below(100);
    presence_.Append(percent >= 50);
    codes_.AppendIf(percent >= 60, percent >= 95 ? kStatusError : kStatusOk);
    messages_.AppendIf(percent >= 95, static_cast<uint16_t>(percent % 2));
  }
  std::shared_ptr<arrow::Array> Finish(const Pools& pools) {
    if (presence_.is_all_null()) {
      return nullptr;
    }
    Table table;
    table.Add("code", codes_.Finish(arrow::int32()));
    if (!messages_.is_all_null()) {
      table.Add("status_message", messages_.FinishIndices(pools.messages.texts));
    }
    return table.FinishStruct(&presence_);
  }

 private:
  Presence presence_;
  Column<int32_t> codes_;
  Column<uint16_t> messages_;
};

/// Traces of a few spans, each called by the one before it.
class TraceMaker {
 public:
  struct Ids {
    uint64_t trace_high;
    uint64_t trace_low;
    uint64_t span;
    uint64_t parent;  ///< 0: none
  };
  Ids Next(Random* random) {
    if (num_left_ == 0) {
      num_left_ = 1 + random->Below(kMaxSpansOfTrace);
      ids_ = {random->Next(), random->Next(), 0, 0};
    }
    --num_left_;
    ids_.parent = ids_.span;
    ids_.span = random->Next() | 1U;
    return ids_;
  }

 private:
  uint32_t num_left_ = 0;
  Ids ids_{};
};

}  // namespace

Result<otap::BatchPtr> MakeSpans(const Pools& pools, int64_t num_rows, int64_t unix_nanos,
                                 Random* random) {
  Column<uint16_t> ids;
  Column<int64_t> starts;
  Column<int64_t> durations;
  IdColumn trace_ids(16);
  IdColumn span_ids(8);
  IdColumn parent_span_ids(8);
  Column<uint16_t> names;
  Column<int32_t> kinds;
  StatusColumn statuses;
  AttributeRows<uint16_t> attributes(&pools);
  Events events(&pools);
  Links links(&pools);
  TraceMaker traces;
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto id = static_cast<uint16_t>(row);
    const bool is_corner = pools.IsCorner(random);
    ids.Append(id);
    const int64_t start = unix_nanos + row * kStepNanos;
    starts.Append(start);
    durations.Append(is_corner ? 0 : random->Below(kLongestNanos));
    const TraceMaker::Ids trace = traces.Next(random);
    trace_ids.Append(trace.trace_high, trace.trace_low);
    span_ids.Append(0, trace.span);
    trace.parent == 0 ? parent_span_ids.AppendNull() : parent_span_ids.Append(0, trace.parent);
    const TextPool& texts = pools.span_names;
    names.Append(static_cast<uint16_t>(is_corner
                                           ? texts.num_texts + random->Below(texts.num_corners)
                                           : random->Below(texts.num_texts)));
    kinds.AppendIf(!is_corner, static_cast<int32_t>(1 + random->Below(kNumKinds)));
    statuses.Append(random);
    attributes.AppendAll(id, is_corner ? 0 : pools.traffic.num_span_attributes, random);
    for (int64_t i = 0; i < pools.traffic.num_span_events; ++i) {
      events.Append(id, start + i, random);
    }
    for (int64_t i = 0; i < pools.traffic.num_span_links; ++i) {
      links.Append(id, random);
    }
  }
  Table table;
  table.Add("id", ids.Finish(arrow::uint16()));
  table.Add("resource", pools.ResourceColumn(num_rows));
  table.Add("scope", pools.ScopeColumn(num_rows));
  table.Add("start_time_unix_nano", starts.Finish(TimeType()), false);
  table.Add("duration_time_unix_nano", durations.Finish(arrow::duration(arrow::TimeUnit::NANO)),
            false);
  table.Add("trace_id", trace_ids.Finish(), false);
  table.Add("span_id", span_ids.Finish(), false);
  table.AddIfAny("parent_span_id", &parent_span_ids);
  table.Add("name", names.FinishIndices(pools.span_names.texts), false);
  table.AddIfAny("kind", &kinds, arrow::int32());
  table.Add("status", statuses.Finish(pools));
  otap::BatchBuilder batch(otap::Signal::kTraces);
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kSpans, table.Finish()));
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kSpanAttrs, attributes.Finish()));
  ARROW_RETURN_NOT_OK(events.Finish(&batch));
  ARROW_RETURN_NOT_OK(links.Finish(&batch));
  ARROW_RETURN_NOT_OK(batch.Set(TableKind::kResourceAttrs, pools.resource_attributes));
  return batch.Build();
}

Result<otap::BatchPtr> MakeBatch(otap::Signal signal, const Pools& pools, int64_t num_rows,
                                 int64_t unix_nanos, Random* random) {
  switch (signal) {
    case otap::Signal::kLogs:
      return MakeLogs(pools, num_rows, unix_nanos, random);
    case otap::Signal::kTraces:
      return MakeSpans(pools, num_rows, unix_nanos, random);
    case otap::Signal::kMetrics:
      return MakeMetrics(pools, num_rows, unix_nanos, random);
  }
  return Status::Invalid("found a signal that is none of logs, traces and metrics");
}

}  // namespace df::nodes::receivers::traffic_generator
