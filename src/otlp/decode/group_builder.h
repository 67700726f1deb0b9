// What the rows of a root table say of their resource and scope.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "otlp/decode/attribute_builder.h"

namespace df::otlp {

/// Resource and scope as runs of rows: a record costs nothing here. Ids count from 0, those of
/// scopes over all resources; a resource or scope without records gets none.
class GroupBuilder {
 public:
  /// Parts of a Resource or InstrumentationScope message, which protobuf merges.
  using Parts = std::vector<std::string_view>;

  /// The rows from `row` on belong to a new resource, and to no scope yet. Returns false when the
  /// message is malformed.
  bool OpenResource(const Parts& resource, std::string_view schema_url, ValueReader* reader);
  /// The rows from `row` on belong to a new scope of the resource.
  bool OpenScope(int64_t row, const Parts& scope, std::string_view schema_url, ValueReader* reader);

  /// Adds the columns `resource`, `scope` and `schema_url`.
  void AddColumns(TableFrame* frame);

  AttributeBuilder& resource_attributes() { return resource_attributes_; }
  AttributeBuilder& scope_attributes() { return scope_attributes_; }
  void Clear();

 private:
  /// Rows up to the next run.
  struct Run {
    int64_t row = 0;
    uint16_t resource_id = 0;
    uint16_t scope_id = 0;
    uint32_t resource_schema_url = TextBuilder::kNull;
    uint32_t resource_dropped = 0;
    uint32_t scope_name = TextBuilder::kNull;
    uint32_t scope_version = TextBuilder::kNull;
    uint32_t scope_dropped = 0;
    uint32_t schema_url = TextBuilder::kNull;
  };

  arrow::Result<ArrayDataPtr> FinishResource(int64_t num_rows);
  arrow::Result<ArrayDataPtr> FinishScope(int64_t num_rows);
  template <typename Visit>
  void VisitRuns(int64_t num_rows, const Visit& visit) const;

  uint32_t num_resources_ = 0;
  uint32_t num_scopes_ = 0;
  Run current_;
  std::vector<Run> runs_;

  TextBuilder resource_schema_urls_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  TextBuilder scope_names_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  TextBuilder scope_versions_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  TextBuilder schema_urls_{TextBuilder::Kind::kText, otap::DictionaryRule::kAny};
  AttributeBuilder resource_attributes_{otap::TableKind::kResourceAttrs};
  AttributeBuilder scope_attributes_{otap::TableKind::kScopeAttrs};
};

}  // namespace df::otlp
