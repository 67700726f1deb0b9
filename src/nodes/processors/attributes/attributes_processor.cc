#include "nodes/processors/attributes/attributes_processor.h"

#include <string>

#include <fmt/format.h>

namespace df::nodes::processors::attributes {
namespace {

constexpr telemetry::Instrument kModified = {
    telemetry::InstrumentKind::kCounter, "df.processor.attribute.entries.modified", "{entry}",
    "Attributes that were made, changed or taken away", "action"};

}  // namespace

Status AttributesProcessor::Start(engine::Effects& effects) {
  for (size_t i = 0; i < modified_.size(); ++i) {
    const auto kind = static_cast<otap::AttributeActionKind>(i);
    modified_[i] = &effects.metrics().AddCounter(kModified, {{"action", std::string(Name(kind))}});
  }
  return Status::OK();
}

Result<otap::BatchPtr> AttributesProcessor::Transform(const otap::BatchPtr& batch) {
  otap::AttributeCounts counts{};
  ARROW_ASSIGN_OR_RAISE(otap::BatchPtr edited,
                        EditAttributes(batch, config_->apply_to, config_->actions, &counts));
  for (size_t i = 0; i < counts.size(); ++i) {
    modified_[i]->Add(counts[i]);
  }
  return edited;
}

Status AttributesProcessor::OnConfig(const engine::NodeConfigPtr& config) {
  config_ = std::static_pointer_cast<const AttributesConfig>(config);
  return Status::OK();
}

engine::NodeReport AttributesProcessor::Report() {
  std::string text;
  for (size_t i = 0; i < modified_.size(); ++i) {
    if (modified_[i] != nullptr && modified_[i]->value() > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                          Name(static_cast<otap::AttributeActionKind>(i)), modified_[i]->value());
    }
  }
  engine::NodeReport report = OneToOneProcessor::Report();
  report.lines.push_back(fmt::format("changed attributes: {}", text.empty() ? "none" : text));
  return report;
}

}  // namespace df::nodes::processors::attributes
