// One traversal of a batch for all writers: protobuf, JSON and text cannot drift apart.
#pragma once

#include "otlp/grouping.h"
#include "otlp/log_walk.h"
#include "otlp/metric_walk.h"
#include "otlp/span_walk.h"

namespace df::otlp {

/// Writes the request of a batch: resources, their scopes, and the records that RecordWalk writes.
/// Fields stand in front of the lists below them, so that text reads from the top.
template <typename RecordWalk, typename Writer>
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
    constexpr Field kField = RecordWalk::kFields.resources;
    writer_.List(kField, [&] {
      for (uint32_t resource = 0; resource < grouping_.resources.size(); ++resource) {
        writer_.Item(kField, Expect::kLarge, [&] { WriteResource(resource); });
      }
    });
  }

 private:
  void WriteResource(uint32_t resource) {
    const ResourceKey& key = grouping_.resources[resource];
    writer_.Message(resource_fields::kResource, Expect::kSmall, [&] {
      if (key.id != kNoId) {
        WriteAttributes(resource_fields::kAttributes, resource_attributes_,
                        static_cast<uint32_t>(key.id), stats_, &writer_);
      }
      if (key.dropped_attributes_count != 0) {
        writer_.UInt32(resource_fields::kDroppedAttributesCount, key.dropped_attributes_count);
      }
    });
    if (!key.schema_url.text.empty()) {
      writer_.String(resource_fields::kSchemaUrl, key.schema_url.text);
    }
    constexpr Field kField = RecordWalk::kFields.scopes;
    writer_.List(kField, [&] {
      const ChildIndex::Rows scopes = grouping_.scopes_of_resource.Of(resource);
      for (uint32_t i = 0; i < scopes.size(); ++i) {
        writer_.Item(kField, Expect::kLarge, [&] { WriteScope(static_cast<uint32_t>(scopes[i])); });
      }
    });
  }

  void WriteScope(uint32_t scope) {
    const ScopeKey& key = grouping_.scopes[scope];
    writer_.Message(scope_fields::kScope, Expect::kTiny, [&] {
      if (!key.name.text.empty()) {
        writer_.String(scope_fields::kName, key.name.text);
      }
      if (!key.version.text.empty()) {
        writer_.String(scope_fields::kVersion, key.version.text);
      }
      if (key.id != kNoId) {
        WriteAttributes(scope_fields::kAttributes, scope_attributes_, static_cast<uint32_t>(key.id),
                        stats_, &writer_);
      }
      if (key.dropped_attributes_count != 0) {
        writer_.UInt32(scope_fields::kDroppedAttributesCount, key.dropped_attributes_count);
      }
    });
    if (!key.schema_url.text.empty()) {
      writer_.String(scope_fields::kSchemaUrl, key.schema_url.text);
    }
    constexpr Field kField = RecordWalk::kFields.records;
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
  RecordWalk records_;
  AttributeTable resource_attributes_;
  AttributeTable scope_attributes_;
};

template <typename RecordWalk, typename Writer>
arrow::Status WriteRequestAs(const otap::Batch& batch, EncodeStats* stats, Writer* writer) {
  arrow::Status status;
  RequestWalk<RecordWalk, Writer> walk(WalkContext{batch, &status, stats}, writer);
  ARROW_RETURN_NOT_OK(status);
  walk.Write();
  return status;
}

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
      ARROW_RETURN_NOT_OK((WriteRequestAs<LogWalk>(batch, &counted, writer)));
      break;
    case otap::Signal::kTraces:
      ARROW_RETURN_NOT_OK((WriteRequestAs<SpanWalk>(batch, &counted, writer)));
      break;
    case otap::Signal::kMetrics:
      ARROW_RETURN_NOT_OK((WriteRequestAs<MetricWalk>(batch, &counted, writer)));
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
