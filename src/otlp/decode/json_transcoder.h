// OTLP JSON as protobuf bytes, so that one decoder makes the batches of both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otlp/schema/messages.h"
#include "otlp/unknown_fields.h"

namespace df::otlp {

/// Reads once from front to back and keeps nothing but what is written. Keeps its buffer from
/// request to request. Calls: one at a time.
class JsonTranscoder {
 public:
  explicit JsonTranscoder(int max_value_depth) : max_value_depth_(max_value_depth) {}

  /// Writes a request that stands as one JSON object.
  /// Names in lowerCamelCase or as in the protobuf definition; unknown ones are skipped and
  /// counted, known ones stand once. null is absence. Trace and span ids in hex, other bytes in
  /// base64 (either alphabet, padded or not). Integers as numbers or strings, doubles too, with
  /// "NaN", "Infinity" and "-Infinity"; enums as numbers or by their names. Half a surrogate pair
  /// in a text becomes U+FFFD. Errors: Invalid "<path>: found .., expected .." for values of a
  /// wrong kind or range, values too deep; without a path, but with its line and column, for what
  /// is not JSON or not UTF-8. Cost: linear. Owner: the bytes are valid until the next call.
  arrow::Result<std::string_view> Transcode(const MessageShape& shape, std::string_view json);

  /// The keys that the last call has skipped.
  const UnknownFields& unknown() const { return unknown_; }
  /// The halves of surrogate pairs that the last call has replaced.
  int64_t num_lone_surrogates() const { return num_lone_surrogates_; }

 private:
  class Writer;

  int max_value_depth_;
  std::string buffer_;
  UnknownFields unknown_;
  int64_t num_lone_surrogates_ = 0;
};

}  // namespace df::otlp
