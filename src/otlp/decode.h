// OTLP export requests as OTAP batches.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "otap/batch.h"
#include "otlp/unknown_fields.h"

namespace df::otlp {

struct DecodeOptions {
  /// A request with more log records, spans or metrics becomes several batches. Shape: from 1 to
  /// otap::kMaxRootRows; values outside are drawn to the nearest.
  int64_t max_root_rows = otap::kMaxRootRows;
  /// Arrays and maps inside each other, at most; what the encoders take.
  int max_value_depth = 128;
};

/// What was read, and what could not be kept.
struct DecodeStats {
  int64_t items = 0;        ///< log records, spans, or data points
  int64_t invalid_ids = 0;  ///< trace and span ids of a wrong length: read as none
  /// Resources and scopes without any record: left out, since nothing would refer to them.
  int64_t empty_groups = 0;
  /// Halves of surrogate pairs in texts of JSON: read as U+FFFD.
  int64_t replaced_surrogates = 0;
  UnknownFields unknown;  ///< fields that there is no column for

  DecodeStats& operator+=(const DecodeStats& other);
};

/// Turns requests into batches. Keeps its builders and hash tables, so that one decoder for many
/// requests allocates nothing for each record. Calls: one at a time.
///
/// Shape of a batch: canonical (otap::Validate holds) with plain ids, in the order of the request.
/// Resource ids count the resources with records, scope ids the scopes with records, over the
/// batch; log records have an id when they have attributes, everything else that may have children
/// always. Resources and scopes without records are left out, since nothing would refer to them.
/// Optional columns without a value are left out. Texts are dictionaries, or plain where they
/// hardly ever repeat.
/// What has no presence in protobuf is null where it is the default (severity, flags, texts, ids),
/// or 0 (times, counts); what has presence is null where it is not set. A body, status, `positive`
/// or `negative` that is there but empty is not null. Bits of doubles stay as they are.
/// As protobuf wants it: unknown fields and known ones of another wire type are skipped, and
/// counted by their names; the last one of a field counts; parts of a message that stands twice are
/// merged; the last member of a oneof counts.
class Decoder {
 public:
  explicit Decoder(const DecodeOptions& options = {});
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Decodes the protobuf bytes of ExportLogsServiceRequest, ExportTraceServiceRequest or
  /// ExportMetricsServiceRequest. No batch when there are no records.
  /// Errors: Invalid "<path>: at offset <n>: found .., expected .." for malformed bytes, texts that
  /// are not UTF-8, values too deep, and requests of 2 GiB; OutOfMemory.
  arrow::Result<std::vector<otap::BatchPtr>> DecodeRequest(otap::Signal signal,
                                                           std::string_view request,
                                                           DecodeStats* stats = nullptr);

  /// Decodes the same request written as OTLP JSON: one object. Names in lowerCamelCase or as in
  /// the protobuf definition, unknown ones are skipped and counted; ids in hex, other bytes in
  /// base64; integers as numbers or texts; enums as numbers or by their names; half a surrogate
  /// pair becomes U+FFFD. Errors: Invalid "<path>: found .., expected .." for values of a wrong
  /// kind or range and values too deep; without a path, but with line and column, for what is not
  /// JSON.
  arrow::Result<std::vector<otap::BatchPtr>> DecodeJson(otap::Signal signal, std::string_view json,
                                                        DecodeStats* stats = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The same for one request, with a decoder of its own.
arrow::Result<std::vector<otap::BatchPtr>> DecodeRequest(otap::Signal signal,
                                                         std::string_view request,
                                                         const DecodeOptions& options = {},
                                                         DecodeStats* stats = nullptr);

}  // namespace df::otlp
