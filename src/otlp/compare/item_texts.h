// The items of an export request as texts that two items share exactly when they say the same.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otap/schema.h"
#include "otlp/compare/canonical_text.h"

namespace df::otlp {

/// An item with all that stands above it. Owner: borrows the texts for the time of the call.
struct ItemText {
  std::string_view head;         ///< of its resource and scope, with their schema URLs
  std::string_view metric_head;  ///< of the metric of a data point; "" of other items
  std::string_view text;
};

/// Calls `visit` with each log record, span or data point of a request; a metric without data
/// points is one item. Heads of neighbours are the same texts at the same place. Errors: Invalid
/// when the request is not protobuf.
arrow::Status VisitItemTexts(otap::Signal signal, std::string_view request,
                             const CompareOptions& options,
                             const std::function<void(const ItemText& item)>& visit);

/// Calls `visit` with each request of a signal in a file: of requests behind their lengths, or of
/// OTLP JSON, one a line, where lines of other signals are passed over. Errors: those of
/// VisitRequests, RequestFromJson and `visit`.
arrow::Status VisitRequestsOf(otap::Signal signal, const std::string& path,
                              const std::function<arrow::Status(std::string_view)>& visit);

}  // namespace df::otlp
