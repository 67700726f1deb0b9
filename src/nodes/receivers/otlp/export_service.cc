#include "nodes/receivers/otlp/export_service.h"

#include <utility>

#include <arrow/buffer.h>
#include <fmt/format.h>

#include "otlp/count_items.h"

namespace df::nodes::receivers::otlp {
namespace {

// Calldata: whether the sender waits for the outcome, the number of the call, and that of the batch
// in it.
constexpr uint64_t kWaits = uint64_t{1} << 63U;
constexpr unsigned kPartBits = 20;
constexpr uint64_t kPartMask = (uint64_t{1} << kPartBits) - 1;

}  // namespace

/// One request between its decoding and its answer. Owner: the coroutine of the request.
class ExportService::Call {
 public:
  Call(ExportService* owner, ExportOptions call_options, const std::vector<otap::BatchPtr>& batches)
      : options(call_options), changed(&owner->effects_->loop()), service(owner) {
    num_items.reserve(batches.size());
    for (const otap::BatchPtr& batch : batches) {
      num_items.push_back(batch->num_items());
    }
    num_left = num_items.size();
    id = owner->next_call_++;
    owner->calls_.emplace(id, this);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    // What was not sent falls with the task: its sender does not hear that all went well.
    service->is_dropping_ = true;
    sending = runtime::Task<>();
    service->is_dropping_ = false;
    service->calls_.erase(id);
    if (service->calls_.empty()) {
      service->calls_ended_.NotifyAll();
    }
  }

  bool is_over() const {
    return is_late || (is_sent && (num_left == 0 || !options.waits_for_result));
  }

  ExportOptions options;
  uint64_t id = 0;
  std::vector<int64_t> num_items;  // by batch
  size_t num_left = 0;             // batches without outcome
  bool is_sent = false;
  bool is_late = false;
  bool has_temporary = false;  // nack
  size_t num_permanent = 0;    // batches with a permanent nack
  int64_t num_rejected = 0;    // items of those
  std::string reason;          // of the first nack
  runtime::Wakeup changed;
  ExportService* service;
  runtime::Task<> sending;
};

ExportService::ExportService(engine::Effects* effects)
    : effects_(effects),
      losses_(std::make_shared<delivery::DecodeLosses>(effects->info().node, &effects->metrics())),
      sends_ended_(&effects->loop()),
      calls_ended_(&effects->loop()) {}

ExportService::~ExportService() = default;

std::string_view ExportService::reason_to_refuse() const {
  if (is_closed_) {
    return "the receiver is shutting down";
  }
  if (effects_->memory_pressure() == engine::MemoryPressure::kHard) {
    return "the pipeline holds as much as it may";
  }
  return "";
}

runtime::Task<ExportAnswer> ExportService::Export(ExportRequest request, ExportOptions options) {
  ++counts_.requests;
  if (const std::string_view reason = reason_to_refuse(); !reason.empty()) {
    co_return Refuse(AnswerCode::kUnavailable, std::string(reason));
  }
  Result<std::vector<otap::BatchPtr>> batches = Read(std::move(request));
  if (!batches.ok()) {
    ++counts_.malformed;
    ExportAnswer answer;
    answer.code = AnswerCode::kInvalidArgument;
    answer.message = batches.status().message();
    co_return answer;
  }
  Call call(this, options, *batches);
  runtime::Timer timer(&effects_->loop(), [&call] {
    call.is_late = true;
    call.changed.Notify();
  });
  timer.StartAt(effects_->clock().Now() + options.timeout);
  call.sending = SendAll(&call, *std::move(batches));
  call.sending.Start();
  while (!call.is_over()) {
    co_await call.changed.Wait();
  }
  co_return AnswerOf(call);
}

Result<std::vector<otap::BatchPtr>> ExportService::Read(ExportRequest request) {
  if (request.encoding == df::otlp::Encoding::kProtobuf && effects_->TakesEncoded()) {
    ARROW_ASSIGN_OR_RAISE(
        auto batches,
        df::otlp::MakeRequestBatches(
            request.signal, arrow::Buffer::FromString(std::move(request.body)),
            [losses = losses_](const df::otlp::DecodeStats& stats) { losses->Count(stats); }));
    for (const otap::BatchPtr& batch : batches) {
      counts_.items += batch->num_items();
    }
    return batches;
  }
  df::otlp::DecodeStats stats;
  ARROW_ASSIGN_OR_RAISE(auto batches,
                        request.encoding == df::otlp::Encoding::kJson
                            ? decoder_.DecodeJson(request.signal, request.body, &stats)
                            : decoder_.DecodeRequest(request.signal, request.body, &stats));
  counts_.items += stats.items;
  losses_->Count(stats);
  if (batches.size() > kPartMask) {
    return Status::Invalid(fmt::format("found a request that makes {} batches, expected at most {}",
                                       batches.size(), kPartMask));
  }
  return batches;
}

runtime::Task<> ExportService::SendAll(Call* call, std::vector<otap::BatchPtr> batches) {
  struct Count {
    explicit Count(ExportService* owner) : service(owner) { ++service->num_sending_; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    ~Count() {
      if (--service->num_sending_ == 0) {
        service->sends_ended_.NotifyAll();
      }
    }
    ExportService* service;
  };
  const Count count(this);
  const uint64_t calldata = (call->options.waits_for_result ? kWaits : 0) | call->id << kPartBits;
  for (size_t i = 0; i < batches.size(); ++i) {
    engine::Pdata pdata(std::move(batches[i]), call->options.waits_for_result
                                                   ? effects_->MakeAwaitedToken(this, calldata | i)
                                                   : effects_->MakeToken(this, calldata | i));
    // A nack of a destination that has ended comes like any other.
    co_await effects_->Send(std::move(pdata));
  }
  call->is_sent = true;
  call->changed.Notify();
}

runtime::Task<> ExportService::WaitForSends() {
  while (num_sending_ > 0) {
    co_await sends_ended_.Wait();
  }
}

runtime::Task<bool> ExportService::WaitForAnswers(runtime::SteadyTime deadline) {
  runtime::Timer timer(&effects_->loop(), [this] { calls_ended_.NotifyAll(); });
  timer.StartAt(deadline);
  while (!calls_.empty() && effects_->clock().Now() < deadline) {
    co_await calls_ended_.Wait();
  }
  co_return calls_.empty();
}

ExportAnswer ExportService::Refuse(AnswerCode code, std::string message) {
  ++counts_.refused;
  ExportAnswer answer;
  answer.code = code;
  answer.message = std::move(message);
  return answer;
}

ExportAnswer ExportService::AnswerOf(const Call& call) {
  if (call.has_temporary) {
    return Refuse(AnswerCode::kUnavailable, call.reason);
  }
  if (call.is_late && !(call.is_sent && call.num_left == 0)) {
    return Refuse(AnswerCode::kDeadlineExceeded,
                  call.is_sent ? "the items are on their way, and not delivered in time"
                               : "the pipeline has not taken the items in time");
  }
  if (call.num_permanent > 0 && call.num_permanent == call.num_items.size()) {
    return Refuse(AnswerCode::kInvalidArgument, call.reason);
  }
  ExportAnswer answer;
  answer.message = call.reason;
  answer.rejected_items = call.num_rejected;
  return answer;
}

void ExportService::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  const auto at = calls_.find((calldata & ~kWaits) >> kPartBits);
  if (at == calls_.end()) {
    if (!outcome.is_ack && (calldata & kWaits) == 0 && ++counts_.lost_batches == 1) {
      counts_.first_lost = outcome.reason;
    }
    return;
  }
  if (is_dropping_) {
    return;
  }
  Call& call = *at->second;
  --call.num_left;
  // Items among the dead letters are durable here: told that they were rejected, a sender would
  // count them as lost.
  const int64_t num_rejected =
      outcome.is_ack && outcome.partial != nullptr
          ? outcome.partial->num_refused - outcome.partial->num_dead_letters
          : 0;
  if (num_rejected > 0) {
    call.num_rejected += num_rejected;
    call.reason = call.reason.empty() ? outcome.partial->refusal : call.reason;
  }
  if (!outcome.is_ack) {
    if (call.reason.empty()) {
      call.reason = outcome.reason;
    }
    if (outcome.is_permanent) {
      ++call.num_permanent;
      call.num_rejected += call.num_items[calldata & kPartMask];
    } else {
      call.has_temporary = true;
    }
  }
  if (call.is_over()) {
    call.changed.Notify();
  }
}

}  // namespace df::nodes::receivers::otlp
