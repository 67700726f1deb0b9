// OTAP batches as OTLP export requests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otlp {

/// What was written, and what could not be written as it was.
struct EncodeStats {
  int64_t items = 0;            ///< log records, spans, or data points
  int64_t invalid_values = 0;   ///< CBOR that cannot be read: written as empty values
  int64_t unknown_types = 0;    ///< attribute or body type above 7: written as empty values
  int64_t unknown_metrics = 0;  ///< metric type above 5: written without data
  /// Data points whose metric is not in the batch or of another kind: not written.
  int64_t unreachable_points = 0;
  int64_t replaced_texts = 0;  ///< JSON and text: texts that were not UTF-8

  EncodeStats& operator+=(const EncodeStats& other);
  /// Tells whether everything was written as it was.
  bool is_exact() const;
};

/// Writes a batch as the protobuf bytes of ExportLogsServiceRequest, ExportTraceServiceRequest or
/// ExportMetricsServiceRequest.
/// Shape: one ResourceX for each resource and one ScopeX for each scope under it, in the order of
/// their first rows; records in row order; children in the order of their rows. Rows go under one
/// resource or scope only when all that they say about it is equal. Fields equal to their default
/// are left out where presence means nothing. Texts are written byte for byte, valid UTF-8 or not.
/// An absent value column reads as the default of its type; a null in a present `bool` column, and
/// values that cannot be read, as an empty value (counted).
/// Errors: Invalid when ids are not plain, or a column has a type outside the model.
/// Source: format reference 2.13 and 6. Cost: O(rows); no allocation per row.
arrow::Result<std::string> EncodeRequest(const otap::Batch& batch, EncodeStats* stats = nullptr);

/// The same for one batch after the other: writes into a buffer that grows and never shrinks, so
/// that memory is taken and cleared once. Owner: the request is a part of the buffer.
arrow::Result<std::string_view> EncodeRequestInto(const otap::Batch& batch, std::string* buffer,
                                                  EncodeStats* stats = nullptr);

/// Writes the same request as OTLP JSON: one object on one line without an end of line, always
/// valid UTF-8. Errors: as EncodeRequest.
arrow::Result<std::string> EncodeJson(const otap::Batch& batch, EncodeStats* stats = nullptr);

enum class TextLayout : uint8_t {
  kLines,     ///< a line for each resource, scope, record and data point
  kDetailed,  ///< a line for each field
};

/// Writes the same request for people to read, as whole lines; valid UTF-8. Errors: as
/// EncodeRequest.
arrow::Result<std::string> EncodeText(const otap::Batch& batch, TextLayout layout,
                                      EncodeStats* stats = nullptr);

}  // namespace df::otlp
