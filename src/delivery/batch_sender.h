// One batch on its way to an OTLP server: which request comes next, and what the answers add up to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "delivery/batch_tally.h"
#include "delivery/otlp_requests.h"
#include "delivery/request_limit.h"
#include "delivery/too_large_items.h"
#include "engine/completion.h"

namespace df::delivery {

/// What the batches to one server have in common. Owner: the exporter; all are borrowed.
struct Destination {
  RequestLimit* limit = nullptr;
  TooLargeItems* too_large = nullptr;
};

/// Gives the requests of a batch one after the other; each is answered before the next is made.
/// What the server refuses for its size is sent again in parts, down to single records; these are
/// refused for good, and so is, unsent, any other record of the batch that is as large as a request
/// that was refused. Calls: the loop.
class BatchSender {
 public:
  BatchSender(otap::BatchPtr batch, otlp::Encoding encoding, Destination destination);

  /// Makes the next request. Returns false when there is none: Finish then says the outcome.
  bool Next();
  /// What is to be sent; the body may be taken.
  OtlpRequest& request() { return *request_; }

  /// The server has taken it, but for some items that it refused with a message.
  void Deliver(int64_t num_rejected, const std::string& message);
  /// The server does not take it for its size.
  void RefuseAsTooLarge(const SizeRefusal& refusal, const std::string& reason);
  /// The server has broken it off without a word, as some do where it is too large. Returns whether
  /// it is tried in parts: a small one is not.
  bool TryInParts();
  /// The server will never take it.
  void RefuseForGood(const std::string& reason);

  /// The outcome when all is answered.
  engine::Outcome Finish() const { return tally_.Finish(); }
  /// The outcome when the request was refused for now, or not answered.
  engine::Outcome Stop(const std::string& reason);

  const BatchTally& tally() const { return tally_; }
  const otlp::EncodeStats& stats() const { return requests_.stats(); }
  otap::Signal signal() const { return batch_->signal(); }

 private:
  /// Counts and names the record of a request that cannot be cut.
  void RefuseRecord(const OtlpRequest& request, const std::string& reason);

  otap::BatchPtr batch_;
  Destination destination_;
  OtlpRequests requests_;
  BatchTally tally_;
  otlp::Encoding encoding_;
  std::optional<OtlpRequest> request_;
  int64_t request_bytes_ = 0;
  int64_t max_bytes_ = INT64_MAX;  ///< of this batch, where less than the limit
  /// The smallest request that was refused for its size, and why.
  int64_t refused_bytes_ = INT64_MAX;
  std::string refused_reason_;
  std::optional<int64_t> broken_off_bytes_;  ///< of a request that is tried in parts
};

}  // namespace df::delivery
