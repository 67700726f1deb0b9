#include "delivery/otlp_requests.h"

#include <utility>

#include <fmt/format.h>

#include "delivery/table_cutter.h"
#include "otap/concat.h"
#include "otlp/count_items.h"

namespace df::delivery {

OtlpRequests::OtlpRequests(otap::BatchPtr batch, otlp::Encoding encoding)
    : batch_(std::move(batch)), encoding_(encoding) {}

Result<std::optional<OtlpRequest>> OtlpRequests::Next(int64_t max_bytes) {
  return encoding_ == otlp::Encoding::kJson ? NextJson(max_bytes) : NextProto(max_bytes);
}

Result<std::string_view> OtlpRequests::Encoded() {
  if (const otap::EncodedRequest* request = batch_->encoded(); request != nullptr) {
    return std::string_view(*request->bytes);
  }
  otlp::EncodeStats stats;
  ARROW_ASSIGN_OR_RAISE(encoded_, otlp::EncodeRequest(*batch_, &stats));
  if (!has_begun_) {
    stats_ += stats;
  }
  return encoded_;
}

/// Of a request that came in, only its items are known: a metric more may be without points.
bool OtlpRequests::MayBeCut() const {
  return batch_->num_items() != 1 || batch_->signal() == otap::Signal::kMetrics;
}

Result<std::optional<OtlpRequest>> OtlpRequests::NextProto(int64_t max_bytes) {
  if (!cutter_.has_value()) {
    if (is_whole_) {
      return std::nullopt;
    }
    ARROW_ASSIGN_OR_RAISE(const std::string_view bytes, Encoded());
    const bool was_sent = std::exchange(has_begun_, true);
    const bool fits = static_cast<int64_t>(bytes.size()) <= max_bytes && !was_sent;
    auto cutter =
        fits ? Status::Cancelled("not needed") : otlp::RequestCutter::Make(batch_->signal(), bytes);
    if (fits || (!cutter.ok() && !was_sent)) {
      // What cannot be read cannot be cut either: the server may know more of it.
      is_whole_ = true;
      return OtlpRequest{encoded_.empty() ? std::string(bytes) : std::exchange(encoded_, {}),
                         batch_->num_items(), fits && MayBeCut()};
    }
    ARROW_ASSIGN_OR_RAISE(cutter_, std::move(cutter));
  }
  if (!cutter_->has_more()) {
    return std::nullopt;
  }
  otlp::RequestPart part = cutter_->Next(max_bytes);
  return OtlpRequest{std::move(part.request), part.num_items, part.can_be_cut};
}

Result<std::optional<OtlpRequest>> OtlpRequests::NextJson(int64_t max_bytes) {
  if (!std::exchange(has_begun_, true)) {
    ARROW_ASSIGN_OR_RAISE(otap::BatchPtr whole, otap::WithTables(batch_));
    pieces_.push_back({std::move(whole)});
  }
  stats_ += std::exchange(last_stats_, {});
  while (!pieces_.empty()) {
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    piece.can_be_cut &= CanBeCut(*piece.batch);
    std::string body;
    otlp::EncodeStats stats;
    if (piece.json_bytes == 0 || !piece.can_be_cut) {
      ARROW_ASSIGN_OR_RAISE(body, otlp::EncodeJson(*piece.batch, &stats));
      piece.json_bytes = static_cast<int64_t>(body.size());
    }
    if (!body.empty() && (piece.json_bytes <= max_bytes || !piece.can_be_cut)) {
      last_ = std::move(piece);
      last_stats_ = stats;
      return OtlpRequest{std::move(body), last_.batch->num_items(), last_.can_be_cut};
    }
    ARROW_ASSIGN_OR_RAISE(auto parts, CutTables(piece.batch, piece.json_bytes, max_bytes));
    if (parts.size() == 1) {
      pieces_.push_front({std::move(parts.front()), 0, /*can_be_cut=*/false});
      continue;
    }
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      pieces_.push_front({std::move(*part)});
    }
  }
  return std::nullopt;
}

void OtlpRequests::StepBack() {
  if (encoding_ == otlp::Encoding::kJson) {
    last_stats_ = {};
    pieces_.push_front(std::move(last_));
  } else if (cutter_.has_value()) {
    cutter_->StepBack();
  } else {
    is_whole_ = false;
  }
}

Result<otap::BatchPtr> OtlpRequests::TakeRest() {
  if (!has_begun_) {
    return batch_;
  }
  if (encoding_ == otlp::Encoding::kJson) {
    std::vector<otap::BatchPtr> batches;
    for (Piece& piece : pieces_) {
      batches.push_back(std::move(piece.batch));
    }
    pieces_.clear();
    return batches.empty() ? otap::BatchPtr() : otap::Concat(batches);
  }
  if (!cutter_.has_value()) {
    return is_whole_ ? otap::BatchPtr() : batch_;
  }
  if (!cutter_->has_more()) {
    return otap::BatchPtr();
  }
  otlp::RequestPart part = cutter_->Next(INT64_MAX);
  ARROW_ASSIGN_OR_RAISE(
      auto batches, otlp::MakeRequestBatches(batch_->signal(),
                                             arrow::Buffer::FromString(std::move(part.request))));
  if (batches.size() > 1) {
    return Status::Invalid("found a rest of several batches, expected one");
  }
  return batches.empty() ? otap::BatchPtr() : std::move(batches.front());
}

}  // namespace df::delivery
