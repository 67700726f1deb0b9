#include "delivery/too_large_items.h"

#include <chrono>

#include <arrow/api.h>
#include <fmt/format.h>

#include "base/logging.h"
#include "base/text.h"
#include "otap/rows.h"

namespace df::delivery {
namespace {

constexpr size_t kMaxNamed = 5;
constexpr size_t kMaxNameBytes = 120;

/// The value of a column in the first row; null where there is none.
std::shared_ptr<arrow::Scalar> FirstValue(const otap::Batch& batch, std::string_view column) {
  const std::shared_ptr<arrow::Array> values = otap::FindArray(batch.root(), column);
  if (values == nullptr || values->length() == 0) {
    return nullptr;
  }
  std::shared_ptr<arrow::Scalar> value = values->GetScalar(0).ValueOr(nullptr);
  if (value != nullptr && value->is_valid && value->type->id() == arrow::Type::DICTIONARY) {
    value = static_cast<const arrow::DictionaryScalar&>(*value).GetEncodedValue().ValueOr(nullptr);
  }
  return value != nullptr && value->is_valid ? value : nullptr;
}

std::string_view BytesOf(const std::shared_ptr<arrow::Scalar>& value) {
  const auto* bytes = dynamic_cast<const arrow::BaseBinaryScalar*>(value.get());
  return bytes == nullptr ? std::string_view() : std::string_view(*bytes->value);
}

std::string TextOf(const otap::Batch& batch, std::string_view column) {
  return PrintableText(BytesOf(FirstValue(batch, column)).substr(0, kMaxNameBytes));
}

std::string HexOf(const otap::Batch& batch, std::string_view column) {
  std::string hex;
  for (const char byte : BytesOf(FirstValue(batch, column))) {
    hex += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  }
  return hex;
}

std::string TimeOf(const otap::Batch& batch) {
  const auto value = FirstValue(batch, "time_unix_nano");
  const auto* time = dynamic_cast<const arrow::TimestampScalar*>(value.get());
  if (time == nullptr) {
    return "no time";
  }
  const std::chrono::sys_time<std::chrono::nanoseconds> at{std::chrono::nanoseconds(time->value)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace

std::string NameOfRecord(const otap::Batch& batch) {
  switch (batch.signal()) {
    case otap::Signal::kLogs:
      return fmt::format("log record of {}", TimeOf(batch));
    case otap::Signal::kTraces:
      return fmt::format("span '{}' {} of trace {}", TextOf(batch, "name"), HexOf(batch, "span_id"),
                         HexOf(batch, "trace_id"));
    case otap::Signal::kMetrics:
      break;
  }
  return fmt::format("data point of metric '{}'", TextOf(batch, "name"));
}

void TooLargeItems::Add(const std::string& name, int64_t bytes, int64_t num_items,
                        const std::string& reason) {
  ++num_records_;
  num_items_ += num_items;
  counter_->Add(num_items);
  if (named_.size() < kMaxNamed) {
    named_.push_back(fmt::format("{}, {} bytes: {}", name, bytes, reason));
    LogWarning("node '{}': refused as too large: {}", node_, named_.back());
  }
}

void TooLargeItems::AppendTo(std::vector<std::string>* lines) const {
  for (const std::string& named : named_) {
    lines->push_back(fmt::format("refused as too large: {}", named));
  }
  if (const int64_t num_more = num_records_ - static_cast<int64_t>(named_.size()); num_more > 0) {
    lines->push_back(fmt::format("refused as too large: {} more", num_more));
  }
}

}  // namespace df::delivery
