#include "delivery/batch_sender.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "otlp/decode.h"

namespace df::delivery {
namespace {

/// No server breaks off less than this for its size.
constexpr int64_t kLeastSuspected = 1_MiB;

/// "log record of .."; what it is where it cannot be read.
std::string NameOf(otap::Signal signal, otlp::Encoding encoding, const OtlpRequest& request) {
  const auto batches = encoding == otlp::Encoding::kProtobuf
                           ? otlp::DecodeRequest(signal, request.body)
                           : otlp::Decoder().DecodeJson(signal, request.body);
  return batches.ok() && batches->size() == 1 ? NameOfRecord(*batches->front())
                                              : fmt::format("record of {}", otap::Name(signal));
}

}  // namespace

BatchSender::BatchSender(otap::BatchPtr batch, otlp::Encoding encoding, Destination destination)
    : batch_(std::move(batch)),
      destination_(destination),
      requests_(batch_, encoding),
      tally_(batch_),
      encoding_(encoding) {}

bool BatchSender::Next() {
  while (true) {
    auto request = requests_.Next(std::min(max_bytes_, destination_.limit->bytes()));
    if (!request.ok()) {
      tally_.Refuse(batch_->num_items() - tally_.num_delivered() - tally_.num_refused(),
                    request.status().message());
      request_.reset();
      return false;
    }
    request_ = *std::move(request);
    if (!request_.has_value()) {
      return false;
    }
    request_bytes_ = static_cast<int64_t>(request_->body.size());
    if (request_->can_be_cut || request_bytes_ < refused_bytes_) {
      return true;
    }
    RefuseRecord(*request_, refused_reason_);
  }
}

void BatchSender::Deliver(int64_t num_rejected, const std::string& message) {
  const int64_t num_refused = std::clamp<int64_t>(num_rejected, 0, request_->num_items);
  tally_.Deliver(request_->num_items - num_refused);
  if (num_refused > 0) {
    tally_.Refuse(num_refused, message);
  }
  if (broken_off_bytes_.has_value()) {
    // In parts the server takes it: it was the size.
    destination_.limit->Refuse(SizeRefusal(), *std::exchange(broken_off_bytes_, std::nullopt),
                               /*can_be_cut=*/true);
  }
}

void BatchSender::RefuseAsTooLarge(const SizeRefusal& refusal, const std::string& reason) {
  const bool can_be_cut = request_->can_be_cut;
  max_bytes_ =
      std::min(max_bytes_, destination_.limit->Refuse(refusal, request_bytes_, can_be_cut));
  if (request_bytes_ < refused_bytes_) {
    refused_bytes_ = request_bytes_;
    refused_reason_ = reason;
  }
  // The body is with the client: what cannot be cut comes again and is refused unsent.
  requests_.StepBack();
}

bool BatchSender::TryInParts() {
  if (!request_->can_be_cut || request_bytes_ < kLeastSuspected) {
    return false;
  }
  broken_off_bytes_ = request_bytes_;
  max_bytes_ = std::min(max_bytes_, request_bytes_ / 2);
  requests_.StepBack();
  return true;
}

void BatchSender::RefuseForGood(const std::string& reason) {
  tally_.Refuse(request_->num_items, reason);
}

void BatchSender::RefuseRecord(const OtlpRequest& request, const std::string& reason) {
  const std::string name = NameOf(signal(), encoding_, request);
  destination_.too_large->Add(name, request_bytes_, request.num_items, reason);
  tally_.Refuse(request.num_items, fmt::format("{} of {} bytes was refused as too large: {}", name,
                                               request_bytes_, reason));
}

engine::Outcome BatchSender::Stop(const std::string& reason) {
  if (!tally_.has_begun()) {
    return tally_.Stop(reason, nullptr);
  }
  requests_.StepBack();
  return tally_.Stop(reason, requests_.TakeRest().ValueOr(nullptr));
}

}  // namespace df::delivery
