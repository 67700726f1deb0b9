#include "otlp/count_items.h"

#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "otlp/decode.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/metric_data.h"
#include "otlp/schema/messages.h"

namespace df::otlp {
namespace {

/// Calls `visit` with every message of a field. Returns false where the bytes are malformed, or
/// `visit` does.
template <typename Visit>
bool VisitMessages(std::string_view message, Field field, const Visit& visit) {
  ProtoReader in(message);
  const uint32_t wanted = BytesTag(field);
  while (!in.at_end()) {
    uint32_t tag = 0;
    std::string_view child;
    if (!in.ReadTag(&tag) ||
        !(tag == wanted ? in.ReadBytes(&child) && visit(child) : in.Skip(tag))) {
      return false;
    }
  }
  return true;
}

}  // namespace

// The last kind of data counts; its parts are merged.
bool ReadMetricData(std::string_view metric, MetricData* result) {
  ProtoReader in(metric);
  uint32_t kind = 0;
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    if (!IsMetricData(tag)) {
      if (!in.Skip(tag)) {
        return false;
      }
      continue;
    }
    result->num_points = tag == kind ? result->num_points : 0;
    ++result->num_messages;
    kind = tag;
    std::string_view data;
    if (!in.ReadBytes(&data) ||
        !VisitMessages(data, kGaugeShape.At("data_points"), [result](std::string_view) {
          ++result->num_points;
          return true;
        })) {
      return false;
    }
  }
  return true;
}

namespace {

/// The bytes of a request together with who wants to know how they are decoded.
class WatchedBuffer final : public arrow::Buffer {
 public:
  WatchedBuffer(const std::shared_ptr<arrow::Buffer>& bytes,
                std::function<void(const DecodeStats&)> on_decoded)
      : arrow::Buffer(bytes, 0, bytes->size()), on_decoded_(std::move(on_decoded)) {}

  /// A batch that is sent again may be decoded again; that is not another loss.
  void Tell(const DecodeStats& stats) const {
    if (!is_told_.exchange(true)) {
      on_decoded_(stats);
    }
  }

 private:
  std::function<void(const DecodeStats&)> on_decoded_;
  mutable std::atomic<bool> is_told_{false};
};

arrow::Result<otap::BatchPtr> DecodeOne(otap::Signal signal, const arrow::Buffer& bytes) {
  DecodeStats stats;
  ARROW_ASSIGN_OR_RAISE(auto batches, DecodeRequest(signal, std::string_view(bytes), {}, &stats));
  if (const auto* watched = dynamic_cast<const WatchedBuffer*>(&bytes)) {
    watched->Tell(stats);
  }
  if (batches.size() != 1) {
    return arrow::Status::Invalid(
        fmt::format("found a request that gives {} batches, expected 1", batches.size()));
  }
  return std::move(batches.front());
}

}  // namespace

arrow::Result<ItemCount> CountItems(otap::Signal signal, std::string_view request) {
  const RequestFields fields = RequestFieldsOf(signal);
  ItemCount count;
  const auto count_record = [&](std::string_view record) {
    ++count.root_rows;
    MetricData data;
    if (signal == otap::Signal::kMetrics && !ReadMetricData(record, &data)) {
      return false;
    }
    count.items += data.num_points;
    return true;
  };
  const auto count_scope = [&](std::string_view scope) {
    return VisitMessages(scope, fields.records, count_record);
  };
  const auto count_resource = [&](std::string_view resource) {
    return VisitMessages(resource, fields.scopes, count_scope);
  };
  if (!VisitMessages(request, fields.resources, count_resource)) {
    const auto fault = FindFault(RequestShape(signal), request, DecodeOptions().max_value_depth);
    return arrow::Status::Invalid(fault.has_value() ? fault->ToString()
                                                    : "found a malformed request");
  }
  if (signal != otap::Signal::kMetrics) {
    count.items = count.root_rows;
  }
  return count;
}

arrow::Result<std::vector<otap::BatchPtr>> MakeRequestBatches(
    otap::Signal signal, std::shared_ptr<arrow::Buffer> request,
    std::function<void(const DecodeStats&)> on_decoded) {
  ARROW_ASSIGN_OR_RAISE(const ItemCount count, CountItems(signal, std::string_view(*request)));
  if (count.root_rows > otap::kMaxRootRows) {
    DecodeStats stats;
    ARROW_ASSIGN_OR_RAISE(auto decoded,
                          DecodeRequest(signal, std::string_view(*request), {}, &stats));
    if (on_decoded != nullptr) {
      on_decoded(stats);
    }
    return decoded;
  }
  // Whoever decodes it later could tell nobody who can still mend it.
  if (const auto fault = FindFault(RequestShape(signal), std::string_view(*request),
                                   DecodeOptions().max_value_depth);
      fault.has_value()) {
    return arrow::Status::Invalid(fault->ToString());
  }
  std::vector<otap::BatchPtr> batches;
  if (count.root_rows > 0) {
    if (on_decoded != nullptr) {
      request = std::make_shared<WatchedBuffer>(request, std::move(on_decoded));
    }
    otap::EncodedRequest encoded = {.bytes = std::move(request), .decode = DecodeOne};
    batches.push_back(otap::MakeEncodedBatch(signal, std::move(encoded), count.items));
  }
  return batches;
}

}  // namespace df::otlp
