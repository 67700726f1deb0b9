// One export request as several smaller ones, cut as bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "otap/schema.h"
#include "otlp/schema/messages.h"

namespace df::otlp {

struct RequestPart {
  std::string request;
  int64_t num_items = 0;  ///< log records, spans or data points
  bool can_be_cut = false;
};

/// Gives the records of a request in requests of at most so many bytes, in their order. Shape: what
/// stands beside the records (resources, scopes, schema URLs, and fields that nobody here knows) is
/// repeated in every part that needs it, byte for byte, as are the records. A metric stays whole
/// unless it alone is larger than a part may be: then its data points are in several parts, each
/// under the same metric. What cannot be cut any further is a part of its own, however large.
/// Owner: borrows the request. Cost: one walk over the lengths, and each byte copied once a part;
/// memory for each record and for the points of one metric.
class RequestCutter {
 public:
  /// Errors: Invalid, where the lengths do not fit.
  static arrow::Result<RequestCutter> Make(otap::Signal signal, std::string_view request);

  bool has_more() const { return next_.unit < units_.size(); }

  /// Returns the next records, at least one; there are some.
  RequestPart Next(int64_t max_bytes);

  /// Makes the records of the last part come again.
  void StepBack() { next_ = last_; }

 private:
  /// A message that is repeated around its records.
  struct Frame {
    std::string fields;  ///< all but the records
    uint32_t parent = 0;
  };
  /// What a metric is made of when its points are cut.
  struct Metric {
    std::string fields;       ///< all but the data
    std::string data_fields;  ///< all but the points
    uint32_t data_number = 0;
    std::vector<std::string_view> points;
  };
  /// What stays together: a record, or a frame without records.
  struct Unit {
    enum class Level : uint8_t { kResource, kScope, kRecord };
    std::string_view record;
    uint32_t frame = 0;  ///< a resource for kResource, else a scope
    Level level = Level::kRecord;
    bool has_points = false;  ///< a metric whose points can be cut
    int64_t num_items = 0;
  };
  struct Position {
    size_t unit = 0;
    size_t point = 0;
  };

  RequestCutter(otap::Signal signal, const RequestFields& fields)
      : signal_(signal), fields_(fields) {}
  bool Read(std::string_view request);
  bool ReadResource(std::string_view resource);
  bool ReadScope(std::string_view scope);
  bool ReadRecord(std::string_view record);

  uint32_t ResourceOf(const Unit& unit) const;
  int64_t FrameBytes(const Unit& unit, const Unit* before) const;
  /// Makes `metric_` that of a unit.
  void OpenMetric(size_t unit);
  std::string Write(Position begin, Position end, bool begins_with_points);

  otap::Signal signal_;
  RequestFields fields_;
  std::string request_fields_;  ///< of the request, all but the resources
  std::vector<Frame> resources_;
  std::vector<Frame> scopes_;
  std::vector<Unit> units_;
  Position next_;
  Position last_;
  Metric metric_;
  size_t open_metric_ = SIZE_MAX;
};

}  // namespace df::otlp
