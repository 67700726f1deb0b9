// The export requests in which one batch is sent.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"
#include "otlp/encode.h"
#include "otlp/export_response.h"
#include "otlp/request_cutter.h"

namespace df::delivery {

struct OtlpRequest {
  std::string body;
  int64_t num_items = 0;    ///< log records, spans or data points
  bool can_be_cut = false;  ///< else it is one record, however large
};

/// Makes requests of at most so many bytes, before compression, one after the other. A batch that
/// fits is written once and goes as it is; so does one that came in as a request (protobuf). Where
/// it does not fit, protobuf is cut as bytes: fields that nobody here knows stay, and nothing is
/// written again. JSON is written again in parts. Calls: one thread.
class OtlpRequests {
 public:
  OtlpRequests(otap::BatchPtr batch, otlp::Encoding encoding);
  OtlpRequests(const OtlpRequests&) = delete;
  OtlpRequests& operator=(const OtlpRequests&) = delete;

  /// Returns the next request; nothing when all have been returned. One that cannot be cut may be
  /// larger than `max_bytes`. Errors: those of the encoders, and of a decoder where a request that
  /// came in has to be written as JSON.
  Result<std::optional<OtlpRequest>> Next(int64_t max_bytes);

  /// Makes the records of the last request come again.
  void StepBack();

  /// What the requests so far were altered in.
  const otlp::EncodeStats& stats() const { return stats_; }

  /// Returns the records of which no request has been made as a batch; null when there are none.
  /// Nothing can be had after that.
  Result<otap::BatchPtr> TakeRest();

 private:
  Result<std::optional<OtlpRequest>> NextProto(int64_t max_bytes);
  Result<std::optional<OtlpRequest>> NextJson(int64_t max_bytes);
  /// Writes the batch unless it came in written.
  Result<std::string_view> Encoded();
  bool MayBeCut() const;

  otap::BatchPtr batch_;
  otlp::Encoding encoding_;
  otlp::EncodeStats stats_;
  bool has_begun_ = false;

  // Protobuf.
  std::string encoded_;
  std::optional<otlp::RequestCutter> cutter_;  ///< of a batch that is sent in parts
  bool is_whole_ = false;                      ///< the last request was all of the batch

  // JSON: what is left, in order, and the last request.
  struct Piece {
    otap::BatchPtr batch;
    int64_t json_bytes = 0;  ///< where it has been written before
    bool can_be_cut = true;
  };
  std::deque<Piece> pieces_;
  Piece last_;
  otlp::EncodeStats last_stats_;
};

}  // namespace df::delivery
