// What becomes of an OTLP export request, whatever it came over.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "delivery/decode_losses.h"
#include "engine/effects.h"
#include "otlp/decode.h"
#include "otlp/export_response.h"
#include "runtime/condition.h"

namespace df::nodes::receivers::otlp {

/// Numbers of google.rpc.Code.
enum class AnswerCode : int32_t {
  kOk = 0,
  kInvalidArgument = 3,   ///< never to be sent again
  kDeadlineExceeded = 4,  ///< may be sent again, like all below
  kUnavailable = 14,
};

struct ExportRequest {
  otap::Signal signal = otap::Signal::kLogs;
  df::otlp::Encoding encoding = df::otlp::Encoding::kProtobuf;
  std::string body;  ///< inflated
};

struct ExportOptions {
  bool waits_for_result = false;
  std::chrono::nanoseconds timeout{0};  ///< until the answer
};

struct ExportAnswer {
  AnswerCode code = AnswerCode::kOk;
  std::string message;  ///< why; empty where all went well
  /// kOk: items that were refused for good while others were taken.
  int64_t rejected_items = 0;
};

struct ExportCounts {
  int64_t requests = 0;
  int64_t items = 0;         ///< of requests that could be read
  int64_t malformed = 0;     ///< requests
  int64_t refused = 0;       ///< requests, by a node or for want of room or time
  int64_t lost_batches = 0;  ///< refused after the sender was told that all went well
  std::string first_lost;    ///< why
};

/// Decodes requests and sends them on as one batch or, beyond 65,535 records, as several; the
/// answer is there when all of them are on their way, or delivered. Where everything behind takes
/// requests as they are, those in protobuf are not decoded.
/// Owner: outlives its tokens and the tasks that it gives. Calls: the loop.
class ExportService final : public engine::CompletionHandler {
 public:
  /// `effects` is borrowed.
  explicit ExportService(engine::Effects* effects);
  ~ExportService();
  ExportService(const ExportService&) = delete;
  ExportService& operator=(const ExportService&) = delete;

  /// Calls: any number at a time. The task may be destroyed where it waits: what was not sent yet
  /// is not sent then.
  runtime::Task<ExportAnswer> Export(ExportRequest request, ExportOptions options);

  /// Says whether requests have any prospect now; why not, where they have none. For transports
  /// that can refuse a request before they have read it.
  std::string_view reason_to_refuse() const;

  /// From now on every request is refused. What is being sent goes on.
  void Close() { is_closed_ = true; }
  bool is_closed() const { return is_closed_; }
  /// Waits until nothing is being sent; outcomes may still be missing.
  runtime::Task<> WaitForSends();
  /// Waits until every request has its answer. Returns false when the deadline comes first.
  runtime::Task<bool> WaitForAnswers(runtime::SteadyTime deadline);

  const ExportCounts& counts() const { return counts_; }
  const delivery::DecodeLosses& losses() const { return *losses_; }

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

 private:
  class Call;

  Result<std::vector<otap::BatchPtr>> Read(ExportRequest request);
  runtime::Task<> SendAll(Call* call, std::vector<otap::BatchPtr> batches);
  ExportAnswer Refuse(AnswerCode code, std::string message);
  ExportAnswer AnswerOf(const Call& call);

  engine::Effects* effects_;
  df::otlp::Decoder decoder_;
  std::shared_ptr<delivery::DecodeLosses> losses_;
  std::map<uint64_t, Call*> calls_;
  uint64_t next_call_ = 1;
  int64_t num_sending_ = 0;
  runtime::Condition sends_ended_;
  runtime::Condition calls_ended_;
  bool is_closed_ = false;
  bool is_dropping_ = false;
  ExportCounts counts_;
};

}  // namespace df::nodes::receivers::otlp
