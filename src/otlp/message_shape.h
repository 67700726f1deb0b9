// The OTLP messages as data, for code that reads requests without knowing one message by name.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "otap/schema.h"

namespace df::otlp {

enum class WireKind : uint8_t {
  kUInt,  ///< varint
  kInt,   ///< varint of two's complement: int32, int64, enums
  kSInt,  ///< zigzag varint
  kBool,
  kFixed32,
  kFixed64,
  kSFixed64,
  kDouble,
  kString,
  kBytes,
  kMessage,
};

enum class Presence : uint8_t {
  kImplicit,  ///< the default is the same as absent
  kExplicit,  ///< `optional`
  kOneof,     ///< one of the fields of a message that are marked so
  kRepeated,
};

/// Messages inside each other below a request, at most. Beyond it the protobuf
/// libraries of C++, Java, Python and Rust refuse the whole request, so no
/// request with more is taken or written.
inline constexpr int kMaxMessageDepth = 100;

struct MessageShape;

struct FieldShape {
  uint32_t number;
  std::string_view name;
  WireKind kind;
  Presence presence = Presence::kImplicit;
  const MessageShape* message = nullptr;
  /// The Parquet exporter of the reference leaves it out.
  bool is_lost_upstream = false;
};

struct MessageShape {
  std::string_view name;
  std::span<const FieldShape> fields;  ///< by number

  const FieldShape* Find(uint32_t number) const;
};

extern const MessageShape kAnyValueShape;
extern const MessageShape kKeyValueShape;
extern const MessageShape kBucketsShape;
extern const MessageShape kArrayValueShape;
extern const MessageShape kKeyValueListShape;
extern const MessageShape kResourceShape;
extern const MessageShape kScopeShape;
extern const MessageShape kLogRecordShape;
extern const MessageShape kSpanShape;
extern const MessageShape kEventShape;
extern const MessageShape kLinkShape;
extern const MessageShape kStatusShape;
extern const MessageShape kMetricShape;
extern const MessageShape kGaugeShape;
extern const MessageShape kSumShape;
extern const MessageShape kHistogramShape;
extern const MessageShape kExpHistogramShape;
extern const MessageShape kSummaryShape;
extern const MessageShape kNumberPointShape;
extern const MessageShape kHistogramPointShape;
extern const MessageShape kExpHistogramPointShape;
extern const MessageShape kSummaryPointShape;
extern const MessageShape kQuantileShape;
extern const MessageShape kExemplarShape;

/// Source: opentelemetry-proto 1.x.
const MessageShape& RequestShape(otap::Signal signal);

}  // namespace df::otlp
