// The fields that a condition may name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "otap/schema.h"
#include "select/syntax.h"

namespace df::select {

/// What a condition is asked about.
enum class Context : uint8_t { kLog, kSpan, kDataPoint };

/// Returns the context of the items of a signal.
Context ContextOf(otap::Signal signal);

/// Returns "log", "span" or "datapoint": what may stand before the fields of an item.
std::string_view Name(Context context);

/// Where a field lies.
enum class Place : uint8_t { kItem, kMetric, kResource, kScope };

/// How a field becomes a value.
enum class Reading : uint8_t {
  kPlain,     ///< what the column holds; 0, "" or zero bytes where it holds nothing
  kOptional,  ///< the same, nil where the column is absent from the table of the item
  kTime,      ///< nanoseconds as a time
  kEndNanos,  ///< of a span: start and duration
  kEndTime,
  kIdText,       ///< an id in hexadecimal
  kKindText,     ///< "Server"
  kOldKindText,  ///< "SPAN_KIND_SERVER"
  kValue,        ///< a body
  kValueText,    ///< a body as text
  kAttributes,   ///< all of them as a map, or the member that the keys name
  kList,         ///< numbers of a list
  kForTypes,     ///< of a metric: nil unless it is of a type that has the field
};

/// What can be said of a value before it is read.
enum class StaticKind : uint8_t {
  kAny,
  kBool,
  kInteger,
  kDouble,
  kText,
  kBytes,
  kId,
  kTime,
  kDuration,
  kList,
  kMap
};

struct PathInfo {
  std::string_view name;    ///< without the name of the context: "status.code"
  std::string_view column;  ///< of the table, as in "body" or "status.code"
  Reading reading = Reading::kPlain;
  StaticKind kind = StaticKind::kAny;
  Place place = Place::kItem;
};

/// Finds the field that a path names. Errors: Invalid naming the nearest field.
Result<const PathInfo*> FindPath(Context context, const PathSyntax& path, Position position,
                                 std::vector<KeySyntax>* keys);

/// Finds the number of an enum, as SEVERITY_NUMBER_WARN. Errors: Invalid naming the nearest one.
Result<int64_t> FindEnum(Context context, const std::string& name, Position position);

}  // namespace df::select
