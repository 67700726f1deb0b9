// Fields of the OTLP messages: protobuf numbers and JSON names.
// Source: opentelemetry-proto 1.x, format reference 6.
#pragma once

#include "otlp/schema/message_shape.h"

namespace df::otlp {

namespace resource_fields {
inline constexpr Field kResource = {1, "resource"};  ///< of ResourceLogs, ..
inline constexpr Field kSchemaUrl = {3, "schemaUrl"};
inline constexpr Field kAttributes = {1, "attributes"};
inline constexpr Field kDroppedAttributesCount = {2, "droppedAttributesCount"};
}  // namespace resource_fields

namespace scope_fields {
inline constexpr Field kScope = {1, "scope"};  ///< of ScopeLogs, ..
inline constexpr Field kSchemaUrl = {3, "schemaUrl"};
inline constexpr Field kName = {1, "name"};
inline constexpr Field kVersion = {2, "version"};
inline constexpr Field kAttributes = {3, "attributes"};
inline constexpr Field kDroppedAttributesCount = {4, "droppedAttributesCount"};
}  // namespace scope_fields

namespace value_fields {
inline constexpr Field kKey = {1, "key"};
inline constexpr Field kValue = {2, "value"};
inline constexpr Field kString = {1, "stringValue"};
inline constexpr Field kBool = {2, "boolValue"};
inline constexpr Field kInt = {3, "intValue"};
inline constexpr Field kDouble = {4, "doubleValue"};
inline constexpr Field kArray = {5, "arrayValue"};
inline constexpr Field kMap = {6, "kvlistValue"};
inline constexpr Field kBytes = {7, "bytesValue"};
inline constexpr Field kValues = {1, "values"};  ///< of ArrayValue and KeyValueList
}  // namespace value_fields

namespace log_fields {
inline constexpr Field kTime = {1, "timeUnixNano"};
inline constexpr Field kSeverityNumber = {2, "severityNumber"};
inline constexpr Field kSeverityText = {3, "severityText"};
inline constexpr Field kBody = {5, "body"};
inline constexpr Field kAttributes = {6, "attributes"};
inline constexpr Field kDroppedAttributesCount = {7, "droppedAttributesCount"};
inline constexpr Field kFlags = {8, "flags"};
inline constexpr Field kTraceId = {9, "traceId"};
inline constexpr Field kSpanId = {10, "spanId"};
inline constexpr Field kObservedTime = {11, "observedTimeUnixNano"};
inline constexpr Field kEventName = {12, "eventName"};
}  // namespace log_fields

namespace span_fields {
inline constexpr Field kTraceId = {1, "traceId"};
inline constexpr Field kSpanId = {2, "spanId"};
inline constexpr Field kTraceState = {3, "traceState"};
inline constexpr Field kParentSpanId = {4, "parentSpanId"};
inline constexpr Field kName = {5, "name"};
inline constexpr Field kKind = {6, "kind"};
inline constexpr Field kStartTime = {7, "startTimeUnixNano"};
inline constexpr Field kEndTime = {8, "endTimeUnixNano"};
inline constexpr Field kAttributes = {9, "attributes"};
inline constexpr Field kDroppedAttributesCount = {10, "droppedAttributesCount"};
inline constexpr Field kEvents = {11, "events"};
inline constexpr Field kDroppedEventsCount = {12, "droppedEventsCount"};
inline constexpr Field kLinks = {13, "links"};
inline constexpr Field kDroppedLinksCount = {14, "droppedLinksCount"};
inline constexpr Field kStatus = {15, "status"};
inline constexpr Field kFlags = {16, "flags"};
inline constexpr Field kStatusMessage = {2, "message"};
inline constexpr Field kStatusCode = {3, "code"};
}  // namespace span_fields

namespace event_fields {
inline constexpr Field kTime = {1, "timeUnixNano"};
inline constexpr Field kName = {2, "name"};
inline constexpr Field kAttributes = {3, "attributes"};
inline constexpr Field kDroppedAttributesCount = {4, "droppedAttributesCount"};
}  // namespace event_fields

namespace link_fields {
inline constexpr Field kTraceId = {1, "traceId"};
inline constexpr Field kSpanId = {2, "spanId"};
inline constexpr Field kTraceState = {3, "traceState"};
inline constexpr Field kAttributes = {4, "attributes"};
inline constexpr Field kDroppedAttributesCount = {5, "droppedAttributesCount"};
inline constexpr Field kFlags = {6, "flags"};
}  // namespace link_fields

namespace metric_fields {
inline constexpr Field kName = {1, "name"};
inline constexpr Field kDescription = {2, "description"};
inline constexpr Field kUnit = {3, "unit"};
inline constexpr Field kGauge = {5, "gauge"};
inline constexpr Field kSum = {7, "sum"};
inline constexpr Field kHistogram = {9, "histogram"};
inline constexpr Field kExpHistogram = {10, "exponentialHistogram"};
inline constexpr Field kSummary = {11, "summary"};
inline constexpr Field kMetadata = {12, "metadata"};
inline constexpr Field kDataPoints = {1, "dataPoints"};
inline constexpr Field kTemporality = {2, "aggregationTemporality"};
inline constexpr Field kIsMonotonic = {3, "isMonotonic"};
}  // namespace metric_fields

/// Start, time, count and sum have the same numbers in all kinds of points that have them.
namespace point_fields {
inline constexpr Field kStartTime = {2, "startTimeUnixNano"};
inline constexpr Field kTime = {3, "timeUnixNano"};
inline constexpr Field kCount = {4, "count"};
inline constexpr Field kSum = {5, "sum"};
}  // namespace point_fields

namespace number_fields {
inline constexpr Field kDouble = {4, "asDouble"};
inline constexpr Field kExemplars = {5, "exemplars"};
inline constexpr Field kInt = {6, "asInt"};
inline constexpr Field kAttributes = {7, "attributes"};
inline constexpr Field kFlags = {8, "flags"};
}  // namespace number_fields

namespace summary_fields {
inline constexpr Field kQuantiles = {6, "quantileValues"};
inline constexpr Field kAttributes = {7, "attributes"};
inline constexpr Field kFlags = {8, "flags"};
inline constexpr Field kQuantile = {1, "quantile"};
inline constexpr Field kValue = {2, "value"};
}  // namespace summary_fields

namespace histogram_fields {
inline constexpr Field kBucketCounts = {6, "bucketCounts"};
inline constexpr Field kExplicitBounds = {7, "explicitBounds"};
inline constexpr Field kExemplars = {8, "exemplars"};
inline constexpr Field kAttributes = {9, "attributes"};
inline constexpr Field kFlags = {10, "flags"};
inline constexpr Field kMin = {11, "min"};
inline constexpr Field kMax = {12, "max"};
}  // namespace histogram_fields

namespace exp_histogram_fields {
inline constexpr Field kAttributes = {1, "attributes"};
inline constexpr Field kScale = {6, "scale"};
inline constexpr Field kZeroCount = {7, "zeroCount"};
inline constexpr Field kPositive = {8, "positive"};
inline constexpr Field kNegative = {9, "negative"};
inline constexpr Field kFlags = {10, "flags"};
inline constexpr Field kExemplars = {11, "exemplars"};
inline constexpr Field kMin = {12, "min"};
inline constexpr Field kMax = {13, "max"};
inline constexpr Field kZeroThreshold = {14, "zeroThreshold"};
inline constexpr Field kOffset = {1, "offset"};
inline constexpr Field kBucketCounts = {2, "bucketCounts"};
}  // namespace exp_histogram_fields

namespace exemplar_fields {
inline constexpr Field kTime = {2, "timeUnixNano"};
inline constexpr Field kDouble = {3, "asDouble"};
inline constexpr Field kSpanId = {4, "spanId"};
inline constexpr Field kTraceId = {5, "traceId"};
inline constexpr Field kInt = {6, "asInt"};
inline constexpr Field kAttributes = {7, "filteredAttributes"};
}  // namespace exemplar_fields

}  // namespace df::otlp
