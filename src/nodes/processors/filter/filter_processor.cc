#include "nodes/processors/filter/filter_processor.h"

#include <string>

#include <fmt/format.h>

namespace df::nodes::processors::filter {
namespace {

constexpr telemetry::Instrument kDroppedItems = {
    telemetry::InstrumentKind::kCounter, "df.processor.filter.items.dropped", "{item}",
    "Log records, spans and data points that the filter has dropped", "signal"};

constexpr telemetry::Instrument kUnansweredItems = {
    telemetry::InstrumentKind::kCounter, "df.processor.filter.items.unanswered", "{item}",
    "Log records, spans and data points for which a condition had no answer", "signal"};

}  // namespace

Status FilterProcessor::Start(engine::Effects& effects) {
  for (const otap::Signal signal : otap::kAllSignals) {
    dropped_items_[static_cast<size_t>(signal)] =
        &effects.metrics().AddCounter(kDroppedItems, {{"signal", std::string(Name(signal))}});
    unanswered_items_[static_cast<size_t>(signal)] =
        &effects.metrics().AddCounter(kUnansweredItems, {{"signal", std::string(Name(signal))}});
  }
  return Status::OK();
}

Result<otap::BatchPtr> FilterProcessor::Transform(const otap::BatchPtr& batch) {
  const int64_t num_unanswered = unanswered_.num_items;
  ARROW_ASSIGN_OR_RAISE(otap::BatchPtr kept, filter_.Apply(batch, &unanswered_));
  unanswered_items_[static_cast<size_t>(batch->signal())]->Add(unanswered_.num_items -
                                                               num_unanswered);
  const int64_t num_kept = kept == nullptr ? 0 : kept->num_items();
  dropped_items_[static_cast<size_t>(batch->signal())]->Add(batch->num_items() - num_kept);
  return kept;
}

engine::NodeReport FilterProcessor::Report() {
  std::string text;
  for (const otap::Signal signal : otap::kAllSignals) {
    const auto* dropped = dropped_items_[static_cast<size_t>(signal)];
    if (dropped != nullptr && dropped->value() > 0) {
      text +=
          fmt::format("{}{} items of {}", text.empty() ? "" : ", ", dropped->value(), Name(signal));
    }
  }
  engine::NodeReport report = OneToOneProcessor::Report();
  report.lines.push_back(fmt::format("dropped {}", text.empty() ? "nothing" : text));
  if (unanswered_.num_items > 0) {
    report.lines.push_back(
        fmt::format("the condition had no answer for {} items, which match "
                    "nothing: {}",
                    unanswered_.num_items, unanswered_.first_reason));
    report.num_problems += unanswered_.num_items;
  }
  return report;
}

}  // namespace df::nodes::processors::filter
