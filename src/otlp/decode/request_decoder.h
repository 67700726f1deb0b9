// Requests of one signal: resources, their scopes, and the records that a Records class appends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "otlp/decode.h"
#include "otlp/decode/group_builder.h"
#include "otlp/decode/proto_fault.h"

namespace df::otlp {

/// Cuts a request into batches. Functions that return a bool return false where they met malformed
/// bytes, or an error that `status_` holds.
template <otap::Signal kSignal, typename Records>
class RequestDecoder {
 public:
  explicit RequestDecoder(const DecodeOptions& options)
      : max_root_rows_(std::clamp<int64_t>(options.max_root_rows, 1, otap::kMaxRootRows)),
        reader_(options.max_value_depth) {}

  arrow::Result<std::vector<otap::BatchPtr>> Decode(std::string_view request, DecodeStats* stats) {
    batches_.clear();
    stats_ = {};
    reader_.unknown().Clear();
    status_ = arrow::Status::OK();
    const bool ok = ReadRequest(request) && Flush();
    Clear();
    if (!ok) {
      return status_.ok() ? Explain(request) : status_;
    }
    if (stats != nullptr) {
      stats_.unknown = reader_.unknown();
      *stats += stats_;
    }
    return std::move(batches_);
  }

 private:
  static constexpr const RequestShapes& kShapes = RequestShapesOf(kSignal);
  static constexpr RequestFields kFields = kShapes.fields();
  static_assert(kShapes.resource.At("schema_url").number == kShapes.scope.At("schema_url").number);

  arrow::Status Explain(std::string_view request) const {
    const std::optional<ProtoFault> fault =
        FindFault(kShapes.request, request, reader_.max_depth());
    return arrow::Status::Invalid(fault.has_value() ? fault->ToString()
                                                    : "the request is malformed");
  }

  bool ReadRequest(std::string_view request) {
    ProtoReader in(request);
    while (!in.at_end()) {
      uint32_t tag = 0;
      std::string_view resource;
      if (!in.ReadTag(&tag)) {
        return false;
      }
      const bool ok = tag == BytesTag(kFields.resources)
                          ? in.ReadBytes(&resource) && ReadResource(resource)
                          : reader_.SkipUnknown(kShapes.request, tag, &in);
      if (!ok) {
        return false;
      }
    }
    return true;
  }

  /// Reads what stands around the children first, wherever it stands among them.
  bool ReadHead(std::string_view message, const MessageShape& shape, Field head, Field children,
                GroupBuilder::Parts* parts, std::string_view* schema_url) {
    parts->clear();
    *schema_url = {};
    ProtoReader in(message);
    while (!in.at_end()) {
      uint32_t tag = 0;
      if (!in.ReadTag(&tag)) {
        return false;
      }
      bool ok = false;
      if (tag == BytesTag(head)) {
        ok = in.ReadBytes(&parts->emplace_back());
      } else if (tag == BytesTag(kShapes.resource.At("schema_url"))) {
        ok = ReadText(&in, schema_url);
      } else if (tag == BytesTag(children)) {
        ok = in.Skip(tag);
      } else {
        ok = reader_.SkipUnknown(shape, tag, &in);
      }
      if (!ok) {
        return false;
      }
    }
    return IsValidUtf8(*schema_url);
  }

  /// Calls `visit` with every message of a field; the others were skipped once already.
  template <typename Visit>
  static bool VisitChildren(std::string_view message, Field field, const Visit& visit) {
    ProtoReader in(message);
    uint32_t tag = 0;
    std::string_view child;
    while (!in.at_end()) {
      if (!in.ReadTag(&tag)) {
        return false;
      }
      const bool ok = tag == BytesTag(field) ? in.ReadBytes(&child) && visit(child) : in.Skip(tag);
      if (!ok) {
        return false;
      }
    }
    return true;
  }

  bool ReadResource(std::string_view message) {
    is_resource_open_ = false;
    has_records_ = false;
    return ReadHead(message, kShapes.resource, kShapes.resource.At("resource"), kFields.scopes,
                    &resource_, &resource_schema_url_) &&
           VisitChildren(message, kFields.scopes,
                         [&](std::string_view scope) { return ReadScope(scope); }) &&
           (has_records_ || LeaveOut(kResourceShape, resource_, 2));
  }

  bool ReadScope(std::string_view message) {
    is_scope_open_ = false;
    return ReadHead(message, kShapes.scope, kShapes.scope.At("scope"), kFields.records, &scope_,
                    &schema_url_) &&
           VisitChildren(message, kFields.records,
                         [&](std::string_view record) { return ReadRecord(record); }) &&
           (is_scope_open_ || LeaveOut(kScopeShape, scope_, 3));
  }

  /// Nothing will read the head of a resource or scope without records, so many
  /// messages deep.
  bool LeaveOut(const MessageShape& shape, const GroupBuilder::Parts& parts, int level) {
    ++stats_.empty_groups;
    return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
      return reader_.IsFaultless(shape, part, level);
    });
  }

  bool ReadRecord(std::string_view record) {
    if (records_.num_rows() == max_root_rows_ && !Flush()) {
      return false;
    }
    if (!is_scope_open_ && !OpenGroup()) {
      return false;
    }
    return records_.Append(0, record, &reader_);
  }

  bool OpenGroup() {
    has_records_ = true;
    if (!is_resource_open_ && !groups_.OpenResource(resource_, resource_schema_url_, &reader_)) {
      return false;
    }
    is_resource_open_ = true;
    is_scope_open_ = true;
    return groups_.OpenScope(records_.num_rows(), scope_, schema_url_, &reader_);
  }

  bool Flush() {
    if (records_.num_rows() > 0) {
      status_ = BuildBatch();
      Clear();
    }
    is_resource_open_ = false;
    is_scope_open_ = false;
    return status_.ok();
  }

  arrow::Status BuildBatch() {
    otap::BatchBuilder batch(kSignal);
    ARROW_RETURN_NOT_OK(records_.Finish(&groups_, &batch));
    for (AttributeBuilder* table : {&groups_.resource_attributes(), &groups_.scope_attributes()}) {
      ARROW_ASSIGN_OR_RAISE(auto rows, table->Finish());
      ARROW_RETURN_NOT_OK(batch.Set(table->kind(), std::move(rows)));
    }
    batches_.push_back(batch.Build());
    stats_.items += batches_.back()->num_items();
    stats_.invalid_ids += records_.invalid_ids();
    return arrow::Status::OK();
  }

  void Clear() {
    records_.Clear();
    groups_.Clear();
  }

  int64_t max_root_rows_;
  ValueReader reader_;
  Records records_;
  GroupBuilder groups_;
  std::vector<otap::BatchPtr> batches_;
  DecodeStats stats_;
  arrow::Status status_;

  // The resource and scope whose records are being read; open once they have a row in the batch.
  GroupBuilder::Parts resource_;
  GroupBuilder::Parts scope_;
  std::string_view resource_schema_url_;
  std::string_view schema_url_;
  bool is_resource_open_ = false;
  bool is_scope_open_ = false;
  bool has_records_ = false;
};

}  // namespace df::otlp
