// OTLP JSON as protobuf bytes, so that one decoder makes the batches of both.
#pragma once

#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otlp/message_shape.h"
#include "otlp/unknown_fields.h"

namespace df::otlp {

/// Builds a tree of the document first: JSON is the form for small senders and for people. Keeps
/// its buffer from request to request. Calls: one at a time.
class JsonTranscoder {
 public:
  explicit JsonTranscoder(int max_value_depth) : max_value_depth_(max_value_depth) {}

  /// Writes a request that stands as one JSON object.
  /// Names in lowerCamelCase or as in the protobuf definition; unknown ones are skipped and
  /// counted, known ones stand once. null is absence. Trace and span ids in hex, other bytes in
  /// base64 (either alphabet, padded or not). Integers as numbers or strings, doubles too, with
  /// "NaN", "Infinity" and "-Infinity"; enums as numbers. Errors: Invalid "<path>: found ..,
  /// expected .." for values of a wrong kind or range, values too deep; without a path, but with
  /// its line and column, for what is not JSON or not UTF-8. Owner: the bytes are valid until the
  /// next call.
  arrow::Result<std::string_view> Transcode(const MessageShape& shape, std::string_view json);

  /// The keys that the last call has skipped.
  const UnknownFields& unknown() const { return unknown_; }

 private:
  class Writer;

  int max_value_depth_;
  std::string buffer_;
  UnknownFields unknown_;
};

}  // namespace df::otlp
