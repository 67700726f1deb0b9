// One traversal of a batch for all writers: protobuf, JSON and text cannot drift apart.
#pragma once

#include "otlp/grouping.h"
#include "otlp/metric_walk.h"

namespace df::otlp {

/// Writes the request of a batch: resources, their scopes, and the records that Records writes.
/// Fields stand in front of the lists below them, so that text reads from the top.
template <otap::Signal kSignal, typename Records, typename Writer>
class RequestWalk {
 public:
  RequestWalk(const WalkContext& context, Writer* writer)
      : stats_(context.stats),
        writer_(*writer),
        root_(context.Source(otap::RootTable(context.batch.signal()))),
        grouping_(GroupRows(root_, context.batch.num_root_rows())),
        records_(context, root_),
        resource_attributes_(context, otap::TableKind::kResourceAttrs),
        scope_attributes_(context, otap::TableKind::kScopeAttrs) {}

  void Write() {
    constexpr Field kField = kShapes.fields().resources;
    writer_.List(kField, [&] {
      for (uint32_t resource = 0; resource < grouping_.resources.size(); ++resource) {
        writer_.Item(kField, Expect::kLarge, [&] { WriteResource(resource); });
      }
    });
  }

 private:
  static constexpr const RequestShapes& kShapes = RequestShapesOf(kSignal);

  void WriteResource(uint32_t resource) {
    const ResourceKey& key = grouping_.resources[resource];
    writer_.Message(kShapes.resource.At("resource"), Expect::kSmall, [&] {
      if (key.id != kNoId) {
        WriteAttributes(kResourceShape.At("attributes"), resource_attributes_,
                        static_cast<uint32_t>(key.id), stats_, &writer_);
      }
      if (key.dropped_attributes_count != 0) {
        writer_.UInt32(kResourceShape.At("dropped_attributes_count"), key.dropped_attributes_count);
      }
    });
    if (!key.schema_url.text.empty()) {
      writer_.String(kShapes.resource.At("schema_url"), key.schema_url.text);
    }
    constexpr Field kField = kShapes.fields().scopes;
    writer_.List(kField, [&] {
      const ChildIndex::Rows scopes = grouping_.scopes_of_resource.Of(resource);
      for (uint32_t i = 0; i < scopes.size(); ++i) {
        writer_.Item(kField, Expect::kLarge, [&] { WriteScope(static_cast<uint32_t>(scopes[i])); });
      }
    });
  }

  void WriteScope(uint32_t scope) {
    const ScopeKey& key = grouping_.scopes[scope];
    writer_.Message(kShapes.scope.At("scope"), Expect::kTiny, [&] {
      if (!key.name.text.empty()) {
        writer_.String(kScopeShape.At("name"), key.name.text);
      }
      if (!key.version.text.empty()) {
        writer_.String(kScopeShape.At("version"), key.version.text);
      }
      if (key.id != kNoId) {
        WriteAttributes(kScopeShape.At("attributes"), scope_attributes_,
                        static_cast<uint32_t>(key.id), stats_, &writer_);
      }
      if (key.dropped_attributes_count != 0) {
        writer_.UInt32(kScopeShape.At("dropped_attributes_count"), key.dropped_attributes_count);
      }
    });
    if (!key.schema_url.text.empty()) {
      writer_.String(kShapes.scope.At("schema_url"), key.schema_url.text);
    }
    constexpr Field kField = kShapes.fields().records;
    writer_.List(kField, [&] {
      const ChildIndex::Rows rows = grouping_.rows_of_scope.Of(scope);
      for (uint32_t i = 0; i < rows.size(); ++i) {
        writer_.Item(kField, Expect::kSmall, [&] { records_.Write(rows[i], &writer_); });
      }
    });
  }

  EncodeStats* stats_;
  Writer& writer_;
  ColumnSource root_;
  Grouping grouping_;
  Records records_;
  AttributeTable resource_attributes_;
  AttributeTable scope_attributes_;
};

template <otap::Signal kSignal, typename Records, typename Writer>
arrow::Status WriteRequestAs(const otap::Batch& batch, EncodeStats* stats, Writer* writer) {
  arrow::Status status;
  RequestWalk<kSignal, Records, Writer> walk(WalkContext{batch, &status, stats}, writer);
  ARROW_RETURN_NOT_OK(status);
  walk.Write();
  return status;
}

using LogWalk = RecordWalk<kLogRecordShape, otap::TableKind::kLogs>;
using SpanWalk = RecordWalk<kSpanShape, otap::TableKind::kSpans>;

/// Writes a batch and counts what it does. Errors: Invalid when ids are not plain, or a column has
/// a type outside the model.
template <typename Writer>
arrow::Status WriteRequest(const otap::Batch& batch, EncodeStats* stats, Writer* writer) {
  if (batch.id_encoding() != otap::IdEncoding::kPlain) {
    return arrow::Status::Invalid("the ids of the batch are transport-encoded, expected plain ids");
  }
  EncodeStats counted;
  switch (batch.signal()) {
    case otap::Signal::kLogs:
      ARROW_RETURN_NOT_OK((WriteRequestAs<otap::Signal::kLogs, LogWalk>(batch, &counted, writer)));
      break;
    case otap::Signal::kTraces:
      ARROW_RETURN_NOT_OK(
          (WriteRequestAs<otap::Signal::kTraces, SpanWalk>(batch, &counted, writer)));
      break;
    case otap::Signal::kMetrics:
      ARROW_RETURN_NOT_OK(
          (WriteRequestAs<otap::Signal::kMetrics, MetricWalk>(batch, &counted, writer)));
      counted.unreachable_points = batch.num_items() - counted.items;
      break;
  }
  counted.replaced_texts = writer->replaced_texts();
  if (stats != nullptr) {
    *stats += counted;
  }
  return arrow::Status::OK();
}

}  // namespace df::otlp
